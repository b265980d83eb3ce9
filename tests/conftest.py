"""For all tests: pytest shows the values of a failed assertion only in modules that it knows."""

import pytest

pytest.register_assert_rewrite("tests.acceptance.caddy", "tests.workspace")
