"""Servers that answer with what they please: an author is told so in a line, soon, and in little memory."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from email.message import Message
from io import BytesIO
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request

import pytest

from packaging_tool.authors import places, web
from packaging_tool.errors import BuildError, InputError
from tests.hostile.words import raw

OK = b"HTTP/1.1 200 OK\r\n"


@contextlib.contextmanager
def server(*pieces: bytes, pause: float = 0, times: int = 1) -> Iterator[str]:
    """Each connection gets these pieces, `times` over, with pauses."""

    def serve(taken: socket.socket) -> None:
        with taken, contextlib.suppress(OSError):
            taken.recv(65536)
            for _ in range(times):
                for piece in pieces:
                    taken.sendall(piece)
                    time.sleep(pause)

    def listen() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=listen, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        # close(2) alone does not wake who waits in accept(2).
        listening.shutdown(socket.SHUT_RDWR)


def refusal(address: str, largest: int = 1 << 20) -> str:
    with pytest.raises(BuildError) as refused:
        web.read(f"{address}/file", largest)
    assert refused.value.message.startswith((f"cannot fetch {address}/file: ", f"{address}/file has more than"))
    return refused.value.message.removeprefix(f"cannot fetch {address}/file: ")


def test_a_file_is_read_and_a_missing_one_is_missing() -> None:
    with server(OK + b"Content-Length: 2\r\n\r\nhi") as address:
        assert web.read(f"{address}/file", 2) == b"hi"
    with server(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n") as address:
        assert web.read(f"{address}/file", 3) == b"hi!"
    with server(b"HTTP/1.1 404 No\r\n\r\n") as address, pytest.raises(FileNotFoundError):
        web.read(f"{address}/file", 2)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "its server does not speak HTTP as it should (RemoteDisconnected)"),
        (b"SSH-2.0-OpenSSH\r\n", "its server does not speak HTTP as it should (BadStatusLine)"),
        (OK + b"A: b\r\n" * 101 + b"\r\n", "its server does not speak HTTP as it should (HTTPException)"),
        (OK + b"A: " + b"b" * 70000, "its server does not speak HTTP as it should (LineTooLong)"),
        (
            OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            "its server does not speak HTTP as it should (IncompleteRead)",
        ),
        (OK + b"Content-Length: 9\r\n\r\nhi", "the answer was cut off"),
        (b"HTTP/1.1 500 no \x1b]0;owned\x07\r\n\r\n", "500 no \x1b]0;owned\x07"),
        (b"HTTP/1.1 302 F\r\nLocation: ftp://127.0.0.1/x\r\n\r\n", "it leads from http to ftp://127.0.0.1/x"),
        (
            b"HTTP/1.1 302 F\r\nLocation: file:///etc/passwd\r\n\r\n",
            "302 F - Redirection to url 'file:///etc/passwd' is not allowed",
        ),
    ],
)
def test_what_is_no_answer_is_told_in_a_line(answer: bytes, said: str) -> None:
    with server(answer) as address:
        assert refusal(address) == said


def test_an_answer_that_is_too_large_is_not_read_to_its_end() -> None:
    begin = time.monotonic()
    with server(OK + b"\r\n", b"x" * (1 << 20), times=4096) as address:
        assert refusal(address) == f"{address}/file has more than 1 MB: no file of its kind is that large"
    assert time.monotonic() - begin < 20


@pytest.mark.parametrize("head", [OK + b"\r\n", OK[:9], OK])
def test_a_server_that_drips_is_left(head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "PATIENCE", 1.0)
    begin = time.monotonic()
    # In the file, in the first line, in the headers.
    with server(head, b"a", pause=0.2, times=300) as address:
        assert refusal(address) == "its server sends less than 50 kB in a second"
    assert time.monotonic() - begin < 10


def test_words_of_a_server_are_no_more_than_words() -> None:
    for name, word in raw(Path("/nowhere/mark")):
        line = word.replace(b"\n", b" ").replace(b"\r", b" ")[:1000]
        for answer in (b"HTTP/1.1 500 " + line + b"\r\n\r\n", OK + b"X: " + line + b"\r\n\r\n", line + b"\r\n\r\n"):
            with server(answer) as address:
                try:
                    web.read(f"{address}/file", 1 << 20)
                except BuildError as refused:
                    assert refused.message, name


def test_https_leads_to_https_only() -> None:
    leads = web._Redirects()
    for bad in ("http://a.example/x", "ftp://a.example/x", "HTTP://a.example/x"):
        with pytest.raises(URLError, match="it leads from https to"):
            leads.redirect_request(Request("https://b.example"), BytesIO(), 302, "", Message(), bad)
    found = leads.redirect_request(Request("https://b.example"), BytesIO(), 302, "", Message(), "https://a.example/x")
    assert found is not None
    assert found.full_url == "https://a.example/x"


def test_http_takes_a_key_that_is_known_before() -> None:
    with pytest.raises(InputError) as refused:
        places.look(places.spec("greet", "http://packages.example.org"), Path(), "")
    assert "anybody on the way could answer in the place of the maintainer of greet" in refused.value.message
    assert refused.value.hint == "write an https address, or the maintainer's `key` in [plugin-of]"
    # This machine is no way.
    with server(b"HTTP/1.1 404 No\r\n\r\n") as address, pytest.raises(InputError, match="there is no "):
        places.look(places.spec("greet", address), Path(), "")
