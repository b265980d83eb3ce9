"""The Caddy example on Debian 12 with apt."""

import pytest

from tests.acceptance.caddy import CaddyLife
from tests.systems import Apt

pytestmark = pytest.mark.acceptance


class TestCaddyWithApt(CaddyLife):
    """See CaddyLife."""

    kind = Apt
