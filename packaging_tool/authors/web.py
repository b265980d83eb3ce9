"""Reads a file from a web server that nobody vouches for: it may answer with anything, at any length and any pace."""

from __future__ import annotations

import socket
import threading
import time
from email.message import Message
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from packaging_tool.errors import BuildError

# Seconds that a server may be silent, and bytes in a second that it sends on the average after as many.
PATIENCE = 60.0
SLOWEST = 50_000
PIECE = 1 << 16


def read(url: str, largest: int) -> bytes:
    """The bytes of a file by http or https. largest: that it may have. Raises FileNotFoundError, BuildError."""
    watch = _Watch()
    try:
        with watch:
            return _read(url, largest, watch)
    except HTTPError as failed:
        failed.close()
        if failed.code == 404:
            raise FileNotFoundError(url) from None
        raise BuildError(f"cannot fetch {url}: {failed.code} {failed.reason}") from None
    except (OSError, ValueError, HTTPException) as failed:
        if watch.late:
            what = f"its server sends less than {SLOWEST // 1000} kB in a second"
        elif isinstance(failed, HTTPException):
            what = f"its server does not speak HTTP as it should ({type(failed).__name__})"
        else:
            what = str(failed.reason if isinstance(failed, URLError) else failed)
        raise BuildError(f"cannot fetch {url}: {what}", hint="see `at` in [plugin-of]") from None


def _read(url: str, largest: int, watch: _Watch) -> bytes:
    opener = build_opener(_Redirects, _Plain(watch), _Secure(watch))
    data = bytearray()
    with opener.open(url, timeout=PATIENCE) as answer:
        while piece := answer.read1(PIECE):
            data += piece
            watch.came = len(data)
            if len(data) > largest:
                raise BuildError(f"{url} has more than {largest >> 20} MB: no file of its kind is that large")
        # read1 does not tell an answer that was cut off from one that ended.
        if watch.late or answer.length:
            raise OSError("the answer was cut off")
    return bytes(data)


class _Watch:
    """Breaks the connections of one reading when it has become too slow. came: bytes until now."""

    def __init__(self) -> None:
        self.came = 0
        self.late = False
        self._begin = time.monotonic()
        self._connections: list[socket.socket] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def add(self, connection: socket.socket) -> None:
        # The object itself becomes another one with TLS.
        self._connections.append(connection.dup())

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        for connection in self._connections:
            connection.close()

    def _run(self) -> None:
        while not self._done.wait(PATIENCE / 100):
            passed = time.monotonic() - self._begin
            if passed > PATIENCE and self.came < passed * SLOWEST:
                self.late = True
                for connection in list(self._connections):
                    try:
                        connection.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        continue


class _Redirects(HTTPRedirectHandler):
    """Leads to http and https only, and never out of https."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> Request | None:
        if not newurl.lower().startswith(("https://", "http://") if req.type == "http" else "https://"):
            fp.close()
            raise URLError(f"it leads from {req.type} to {newurl}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]  # of IO's kind


class _Watched(HTTPConnection):
    """Shows its socket to a watch."""

    watch: _Watch

    def connect(self) -> None:
        super().connect()
        self.watch.add(self.sock)


class _WatchedSecure(HTTPSConnection, _Watched):
    """In this order it is watched before it is encrypted."""


class _Plain(HTTPHandler):
    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._connection: type[_Watched] = type("Connection", (_Watched,), {"watch": watch})

    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(self._connection, req)


class _Secure(HTTPSHandler):
    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._connection: type[_Watched] = type("Connection", (_WatchedSecure,), {"watch": watch})

    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(self._connection, req)
