"""A package index on this machine (PEP 503), and what somebody may put there."""

from __future__ import annotations

import base64
import io
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.drivers.test_python import wheel

# A backend of PEP 517 that leaves a mark when it is imported.
BACKEND = """
import pathlib
pathlib.Path({mark!r}).write_text("ran")
def prepare_metadata_for_build_wheel(directory, config_settings=None):
    raise SystemExit("enough")
build_wheel = get_requires_for_build_wheel = prepare_metadata_for_build_wheel
"""
LOGIN = "Basic " + base64.b64encode(b"reader:s3cret").decode()


class Index:
    """url: of its pages. mark: the file that is there as soon as anything ran that lies here."""

    def __init__(self, root: Path, url: str) -> None:
        self.root, self.url = root, url
        self.mark = root.parent / "ran"
        # Whether it asks for a name and a password.
        self.closed = False
        self.asked: list[str] = []

    def wheel(self, name: str, *requires: str) -> Path:
        """A wheel with its page."""
        (place := self.root / name).mkdir(exist_ok=True)
        made = wheel(place, name, requires=requires)
        (place / "index.html").write_text(f'<a href="{made.name}">{made.name}</a>')
        return made

    def sources(self, name: str) -> Path:
        """An archive of sources whose build leaves the mark."""
        made = self.root / f"{name}-1.0.tar.gz"
        project = '[build-system]\nrequires = []\nbuild-backend = "back"\nbackend-path = ["."]\n'
        files = {"pyproject.toml": project, "back.py": BACKEND.format(mark=str(self.mark)), "PKG-INFO": ""}
        files["setup.py"] = BACKEND.format(mark=str(self.mark))
        with tarfile.open(made, "w:gz") as archive:
            for file, text in files.items():
                row = tarfile.TarInfo(f"{name}-1.0/{file}")
                row.size = len(text)
                archive.addfile(row, io.BytesIO(text.encode()))
        return made


@contextmanager
def serving(directory: Path) -> Iterator[Index]:
    """An index that is empty at first. directory: for it, new."""
    (root := directory / "pages").mkdir(parents=True)

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            index.asked.append(self.path)
            if index.closed and self.headers.get("Authorization") != LOGIN:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="index"')
                self.end_headers()
                return
            super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(root)))
    index = Index(root, f"http://127.0.0.1:{server.server_address[1]}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()
