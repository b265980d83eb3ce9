"""Makes files that are nearly right out of right ones: bytes, lines, words and fields of them are changed."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from random import Random

Change = Callable[[bytes, Random], bytes]

# Bytes and characters that readers tend to see in different ways: controls, blanks and digits of other alphabets, marks
# of encodings, text that is none, what means something to a shell, awk or a regular expression.
ODD = (
    *(b"\0", b"\r", b"\n", b"\t", b" ", b"  ", b"\v", b"\f", b"\x1b", b"\x7f", b"\x80", b"\x85", b"\xa0", b"\xff"),
    *(text.encode() for text in ("\u0085", "\u00a0", "\u2003", "\u2028", "\u3000", "\ufeff", "\u200b", "\u202e")),
    *(text.encode() for text in ("\u0663", "\uff11", "\u0435", "\u017f", "\u212a", "\u0130")),
    *(b"\xc0\xaf", b"\xc0\x80", b"\xed\xa0\x80", b"\xe2\x80", b"\xf8\x88\x80\x80\x80"),
    *(
        b"\\",
        b"\\n",
        b"\\0",
        b"%s",
        b"$",
        b"`",
        b"'",
        b'"',
        b"*",
        b"?",
        b"[",
        b"&",
        b";",
        b"|",
        b"#",
        b"//",
        b"=",
        b"~",
    ),
    *(b"-", b"+", b".", b"..", b"/", b"./", b"../", b"//", b":", b",", b"_", b"0", b"00", b"1e3", b"0x1", b"nan"),
)
# What readers were seen to differ about.
OFTEN = (b"\0", b"\r", b"\n", b"\t", b" ", b".", b"/", b"-", b"#")
NUMBERS = (
    b"0",
    b"00",
    b"-0",
    b"+1",
    b"-1",
    b" 1",
    b"01",
    b"1.0",
    b"1e1",
    b"0x10",
    b"999999999",
    b"1000000000",
    b"9" * 20,
)
DAYS = (
    b"2020-02-29",
    b"2999-02-29",
    b"2999-13-01",
    b"2999-1-1",
    b"0999-12-31",
    b"3000-01-01",
    b"2996-02-29",
    b"1900-02-29",
)
# Longer than what readers take of small files, than a pipe holds, and than any buffer of a line.
LENGTHS = (100, 255, 256, 1023, 1024, 1025, 4096, 65_535, 65_536, 65_537, 200_000)


def mutate(data: bytes, random: Random, words: Sequence[bytes] = (), other: bytes = b"") -> bytes:
    """One to three changes of data. words: what may be put in. other: a file of the same format to take lines from."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        change = random.choice(CHANGES)
        if words and random.random() < 0.1:
            data = _put(data, random, random.choice(words))
        elif other and random.random() < 0.05:
            data = _spliced(data, random, other)
        else:
            data = change(data, random)
    return data


def _some(random: Random) -> bytes:
    return random.choice(OFTEN if random.random() < 0.5 else ODD)


def _at(data: bytes, random: Random) -> int:
    return random.randint(0, len(data))


def _put(data: bytes, random: Random, what: bytes) -> bytes:
    at = _at(data, random)
    return data[:at] + what + data[at:]


def _flipped(data: bytes, random: Random) -> bytes:
    if not data:
        return b"\x01"
    at = random.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << random.randrange(8))]) + data[at + 1 :]


def _other_byte(data: bytes, random: Random) -> bytes:
    at = _at(data, random)
    return data[:at] + _some(random) + data[at + 1 :]


def _odd(data: bytes, random: Random) -> bytes:
    return _put(data, random, _some(random))


def _at_an_edge(data: bytes, random: Random) -> bytes:
    """Something odd where a line or a field begins or ends."""
    edges = [found.start() for found in re.finditer(rb"(?=[\n ])|(?<=[\n ])|\A|\Z", data)]
    at = random.choice(edges)
    return data[:at] + _some(random) + data[at:]


def _cut(data: bytes, random: Random) -> bytes:
    start = _at(data, random)
    return data[:start] + data[start + random.choice((1, 1, 2, 8, 64)) :]


def _ends_early(data: bytes, random: Random) -> bytes:
    return data[: _at(data, random)]


def _lines(change: Callable[[list[bytes], Random], object]) -> Change:
    """A change of the list of lines, which have their ends."""

    def changed(data: bytes, random: Random) -> bytes:
        lines = data.splitlines(keepends=True) or [b"\n"]
        change(lines, random)
        return b"".join(lines)

    return changed


def _repeat(lines: list[bytes], random: Random) -> None:
    at = random.randrange(len(lines))
    lines.insert(random.choice((at, random.randint(0, len(lines)))), lines[at])


def _drop(lines: list[bytes], random: Random) -> None:
    del lines[random.randrange(len(lines))]


def _swap(lines: list[bytes], random: Random) -> None:
    one, two = random.randrange(len(lines)), random.randrange(len(lines))
    lines[one], lines[two] = lines[two], lines[one]


def _blank(lines: list[bytes], random: Random) -> None:
    lines.insert(random.randint(0, len(lines)), random.choice((b"\n", b" \n", b"\t\n", b"\r\n", b"#\n", b"\0\n")))


def _joined(lines: list[bytes], random: Random) -> None:
    at = random.randrange(len(lines))
    lines[at] = lines[at].rstrip(b"\n") + random.choice((b"", b" ", b"\0", b"\r", b"\\\n"))


def _long(lines: list[bytes], random: Random) -> None:
    at = random.randrange(len(lines))
    length = random.choice(LENGTHS)
    text = lines[at].rstrip(b"\n")
    filler = random.choice((text[-1:], b"0", b"a", b" ", b"/a", b"#", b"\0")) or b"a"
    lines[at] = text + filler * (length // len(filler)) + b"\n"


def _many(lines: list[bytes], random: Random) -> None:
    at = random.randrange(len(lines))
    lines[at:at] = [lines[at]] * random.choice((10, 1100, 5000))


def _end_of_line(data: bytes, random: Random) -> bytes:
    if random.random() < 0.5:
        return data.replace(b"\n", random.choice((b"\r\n", b"\r", b"\n\n", b" \n", b"\0\n")))
    return data.removesuffix(b"\n") + random.choice(
        (b"", b"\n\n", b"\r\n", b"\0", b"\0\n", b"\n\0", b" \n", b"\n ", b"\x1a")
    )


def _mark(data: bytes, random: Random) -> bytes:
    return random.choice((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\0")) + data


def _field(data: bytes, random: Random) -> bytes:
    """One word of the text becomes another one like it."""
    found = list(re.finditer(rb"[^\s=/:,]+", data))
    if not found:
        return _odd(data, random)
    word = random.choice(found)
    return data[: word.start()] + _other_word(word[0], random) + data[word.end() :]


def _other_word(word: bytes, random: Random) -> bytes:
    makes: tuple[Callable[[], bytes], ...] = (
        word.upper,
        word.swapcase,
        word.title,
        lambda: b"",
        lambda: word + word,
        lambda: word[:-1],
        lambda: word[1:],
        lambda: word + word[-1:],
        lambda: b"0" + word,
        lambda: b"+" + word,
        lambda: b"-" + word,
        lambda: b"../" + word,
        lambda: word + b"/..",
        lambda: b"/" + word,
        lambda: word + b"/",
        lambda: word + b"/./" + word,
        lambda: word[::-1],
        lambda: b'"' + word + b'"',
        lambda: bytes(random.choice(b"0123456789abcdefgABCDEF") for _ in word),
        lambda: random.choice(NUMBERS),
        lambda: random.choice(DAYS),
        lambda: word[: len(word) // 2] + _some(random) + word[len(word) // 2 :],
    )
    return random.choice(makes)()


def _spliced(data: bytes, random: Random, other: bytes) -> bytes:
    mine, others = data.splitlines(keepends=True), other.splitlines(keepends=True)
    return b"".join(mine[: _at(b"x" * len(mine), random)] + others[_at(b"x" * len(others), random) :])


def _packed(data: bytes, random: Random) -> bytes:
    """The bytes in a line of base64, or how they are written there, become others."""
    lines = data.split(b"\n")
    try:
        value = base64.b64decode(lines[1], validate=True)
    except (IndexError, binascii.Error):
        return _field(data, random)
    lines[1] = base64.b64encode(
        random.choice((_flipped, _flipped, _cut, _odd, _other_byte, _ends_early))(value, random)
    )
    if random.random() < 0.2:
        lines[1] = _other_base64(lines[1], random)
    return b"\n".join(lines)


def _other_base64(text: bytes, random: Random) -> bytes:
    makes: tuple[Callable[[], bytes], ...] = (
        lambda: text.replace(b"+", b"-").replace(b"/", b"_"),
        lambda: text.rstrip(b"="),
        lambda: text + b"=",
        lambda: text + b"====",
        lambda: text[: len(text) // 2] + b"=" + text[len(text) // 2 :],
        lambda: text.rstrip(b"=")[:-1] + bytes([text.rstrip(b"=")[-1] + 1]) + b"=" * text.count(b"=") if text else b"=",
        lambda: text[:4] + b" " + text[4:],
        lambda: text[:4] + b"\r" + text[4:],
    )
    return random.choice(makes)()


CHANGES: tuple[Change, ...] = (
    *(_flipped, _other_byte, _odd, _odd, _at_an_edge, _at_an_edge, _cut, _ends_early),
    *(_lines(change) for change in (_repeat, _drop, _swap, _blank, _joined, _long)),
    *(_end_of_line, _end_of_line, _mark, _field, _field, _field, _packed, _packed),
    _lines(_many),
)
