"""For all tests: which wait for the night, which come first, and where the values of a failed assertion are shown."""

import gc

import pytest

from tests import tiers

SHARES = 3

pytest.register_assert_rewrite("tests.acceptance.caddy", "tests.workspace")


@pytest.hookimpl(tryfirst=True)  # before pytest looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Here, since modules that are imported above are none whose assertions pytest explains.
    from tests.target.conftest import SHELLS

    tiers.one_of_each(items, list(SHELLS))
    # What the tool does when a package manager has called it is the same with each.
    tiers.one_of_each(items, ["deb", "rpm"], of="server")
    tiers.one_of_each([item for item in items if item.path.stem in tiers.STORIES], ["apt", "dnf"], of="kind")
    tiers.wait_for_the_night(items)
    tiers.slowest_first(items)


def pytest_collection_finish() -> None:
    """Five thousand tests stay until the end, and need not be searched for garbage again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(params=tiers.every(SHARES, range(SHARES)), ids="share {}".format)
def share(request: pytest.FixtureRequest) -> slice:
    """Which of many like cases a test takes: every third by day, the others by night."""
    return slice(request.param, None, SHARES)
