"""Adds a page /-/who that says which user the server runs as."""

import os
import pwd
from typing import Any

from datasette import Response, hookimpl


def who() -> Any:
    return Response.text(pwd.getpwuid(os.getuid()).pw_name)


@hookimpl
def register_routes() -> list[tuple[str, Any]]:
    return [(r"^/-/who$", who)]
