"""A server that answers over HTTP with the titles of its plugins, which it finds by entry points."""

import http.server
import importlib
import importlib.metadata
import os
import pwd
import sys
from collections.abc import Iterator

VERSION, API = "1.0", "1"


def plugins() -> Iterator[str]:
    for point in importlib.metadata.entry_points(group="shelf.plugins"):
        module = point.load()
        if API != module.API:
            sys.exit(f"plugin {point.name}: it is for API {module.API}, not {API}")
        yield f"{point.name}: {module.title()}"


def main() -> int:
    mode = sys.argv[1] if len(sys.argv) == 2 else ""
    if mode == "--version":
        print("shelf", VERSION)
        return 0
    if mode not in ("--check", "--serve"):
        print("usage: shelf --version | --check | --serve", file=sys.stderr)
        return 2
    user = pwd.getpwuid(os.getuid()).pw_name
    body = "\n".join([f"shelf {VERSION} as {user}", *plugins(), ""]).encode()
    if mode == "--check":
        return 0

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # Not imported before anybody asks: it must come from the set that serves, whatever is installed by now.
            found = importlib.import_module("shelf.late").TEXT if self.path == "/late" else body
            self.send_response(200)
            self.send_header("Content-Length", str(len(found)))
            self.end_headers()
            self.wfile.write(found)

    http.server.HTTPServer(("127.0.0.1", 8080), Handler).serve_forever()
    return 0
