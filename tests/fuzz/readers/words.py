"""Readers of words that become something else: dates, addresses, Go's spellings and lists; and of the web's answers."""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from unittest import mock
from urllib.parse import urlsplit

from packaging_tool import cache
from packaging_tool.authors import web
from packaging_tool.golang import lists, spelling
from packaging_tool.listener import Silent
from packaging_tool.project import addresses, dates
from packaging_tool.project.faults import RuleError
from packaging_tool.project.model import ChangeSpec
from tests.drivers.test_go_lists import GOOD
from tests.fuzz.readers.files import WRONG
from tests.fuzz.readers.target import Target, holds, scratch

LISTS = sorted(name for name in GOOD if "/" not in name)
# What a shell, white space or a terminal makes more of.
MEANT = re.compile(r"[^!-~]|[`\"\\<>^{|}]")
RULES = (addresses.web_address, addresses.repository, addresses.documentation, addresses.place)


def _read_list(data: bytes) -> None:
    """A list of a Go plugin: the first byte says which one."""
    kind, text = LISTS[data[0] % len(LISTS)] if data else "lines", data[1:]
    said = lists.fault("bell", kind, text, set(GOOD))
    holds(said.isprintable() and "\n" not in said, "a fault that is not for a terminal")
    if said:
        return
    holds(text.isascii() and not re.search(rb"[^\t\n -~]", text), "a byte that is not printable")
    holds(not text or text.endswith(b"\n"), "no end")
    for line in text.decode().splitlines() if kind.endswith(".cfg") else ():
        word, path, file = re.split("[ =]", line)
        holds(word == "packagefile" and file.startswith("plugins/bell/"), "a file of somebody else")
        holds(".." not in (*path.split("/"), *file.split("/")), "a path that leads elsewhere")


def _lists() -> Iterator[bytes]:
    for number, name in enumerate(LISTS):
        yield bytes([number]) + GOOD[name].encode()


def _read_spelling(data: bytes) -> None:
    """Words that stand in commands and environments of go."""
    text = data.decode()
    for pattern in (spelling.IMPORT_PATH, spelling.MODULE_PATH):
        if pattern.fullmatch(text):
            holds(not text.startswith("-") and not MEANT.search(text) and "//" not in text, f"the path {text!r}")
    for pattern in (spelling.VERSION, spelling.CONTENT_VERSION):
        if pattern.fullmatch(text):
            holds(text.startswith("v") and not MEANT.search(text), f"the version {text!r}")
    for pattern in (spelling.GO, spelling.TAG, spelling.SETTING):
        if pattern.fullmatch(text):
            holds(not MEANT.search(text), f"the word {text!r}")
    name, _, value = text.partition("=")
    holds(not spelling.is_setting(name, value) or not MEANT.search(value), f"the setting {text!r}")
    if spelling.is_variable(name, value):
        holds(value.isprintable() and not set(value) & set("\"'\n\0"), f"the variable {text!r}")


def _spellings() -> Iterator[bytes]:
    yield from (b"github.com/caddyserver/caddy/v2", b"v2.11.9", b"v0.0.0-0.h0123456789abcdef", b"1.26.8", b"1.27rc1")
    yield from (
        b"go1.26.8 (Red Hat 1.26.8-1.el9)",
        b"netgo",
        b"GOAMD64=v3",
        b"main.version=1.0 of today",
        b"v1.0.0+incompatible",
    )


def _read_date(data: bytes) -> None:
    text = data.decode()
    for place, what, better in dates.outside([ChangeSpec(version="1", date=text, changes=("x",))], ("core",)):
        holds(place == ("core", 0, "date") and bool(what and better), "a problem without a word")
    moment = dates.seconds(text)
    if dates.is_day(text):
        holds(moment % 86400 == 0, "a day that begins at no midnight")
    holds(not dates.began_elsewhere(text, moment), "a moment that is still to come")
    holds(abs(moment - datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) <= 86400, "another day")


def _dates() -> Iterator[bytes]:
    yield from (
        b"2026-11-20",
        b"2026-11-20T12:00:00Z",
        b"2026-11-20T12:00:00+14:00",
        b"20261120",
        b"2026-W01-1",
        b"9999-12-31",
    )


def _read_address(data: bytes) -> None:
    """An address: the first byte chooses the rule."""
    rule = RULES[data[0] % len(RULES)] if data else RULES[0]
    text = data[1:].decode()
    try:
        rule(text)
    except RuleError as error:
        holds(bool(error.what), "a refusal without a word")
        return
    holds(text.isprintable() and len(text) <= addresses.LONGEST, f"{text!r} is not for a terminal")
    if rule in (addresses.web_address, addresses.repository):
        holds(not MEANT.search(text), f"{text!r} is no address")
        parts = urlsplit(text)
        holds(parts.scheme in ("http", "https") and bool(parts.hostname), f"{text!r} has no host")
        holds(rule is addresses.web_address or not set(text) & set("$&;'()*!,?# "), f"{text!r} means more to a shell")


def _addresses() -> Iterator[bytes]:
    for number in range(len(RULES)):
        for text in (
            b"https://example.org:8080/a%20b/",
            b"man:caddy(8) https://example.org/",
            b"/srv/dist",
            b"file:///srv/x",
        ):
            yield bytes([number]) + text


def _read_id(data: bytes) -> None:
    """`.mkpkgs/id` of a checkout: what lies beside it stays only where the word is ours."""
    root, state = scratch() / "checkout", scratch() / "state"
    shutil.rmtree(root, ignore_errors=True)
    with mock.patch.dict("os.environ", {"XDG_STATE_HOME": str(state)}):
        (root / cache.NAME).mkdir(parents=True)
        (root / cache.NAME / cache.ID).write_bytes(data)
        (root / cache.NAME / "built").touch()
        place = cache.directory(root, Silent())
        word = (state / "mkpkgs/machine").read_bytes()
    holds((place / "built").exists() is (data == word), "what is not ours is believed, or what is ours is not")
    holds((place / cache.ID).read_bytes() == word, "the directory is not ours now")


def _ids() -> Iterator[bytes]:
    yield from (b"0123456789abcdef" * 2, b"", b"\n")


class _Connection(socket.socket):
    """One end of a pair, which has no options of TCP."""

    def setsockopt(self, *_: object) -> None:
        """Without an effect."""


def _read_answer(data: bytes) -> None:
    """What a web server sends; whatever it leads to answers the same."""

    servers = []

    def connect(*_: object, **__: object) -> socket.socket:
        pair = socket.socketpair()
        ours, theirs = _Connection(fileno=pair[0].detach()), pair[1]
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        servers.append(theirs)
        return ours

    with mock.patch("socket.create_connection", connect), mock.patch.dict("os.environ", {"no_proxy": "*"}):
        try:
            found = web.read("http://example.org/index.toml", 1000)
        except FileNotFoundError:
            return
        finally:
            for server in servers:
                server.close()
    holds(found in data or b"chunked" in data.lower(), "bytes that nobody sent")
    holds(len(found) <= 1000, "more than was allowed")


def _answers() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    yield b"HTTP/1.0 200 OK\r\n\r\nuntil the end"
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    yield b"HTTP/1.1 302 Found\r\nLocation: https://example.org/other\r\nContent-Length: 0\r\n\r\n"
    yield b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


HEADERS = (
    b"HTTP/1.1 200 OK\r\n",
    b"Content-Length: ",
    b"Transfer-Encoding: chunked\r\n",
    b"Location: http://",
    b"\r\n\r\n",
)
TARGETS = (
    Target("go-lists", _read_list, _lists, words=(b"packagefile ", b"plugins/bell/", b"//go:", b"../"), longest=1024),
    Target("go-spelling", _read_spelling, _spellings, errors=WRONG, longest=256),
    Target(
        "dates",
        _read_date,
        _dates,
        words=(b"T", b"Z", b"+14:00", b"-W"),
        errors=(ValueError, OverflowError),
        longest=64,
    ),
    Target(
        "addresses", _read_address, _addresses, words=(b"https://", b"man:", b"file:///"), errors=WRONG, longest=4096
    ),
    Target("cache-id", _read_id, _ids, longest=128),
    Target("web-answer", _read_answer, _answers, words=HEADERS, longest=4096),
)
