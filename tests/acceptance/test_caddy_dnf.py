"""The Caddy example with dnf and rpm."""

import pytest

from tests.acceptance.caddy import CaddyLife
from tests.systems import Dnf

pytestmark = pytest.mark.acceptance


class TestCaddyWithDnf(CaddyLife):
    """See CaddyLife."""

    kind = Dnf
