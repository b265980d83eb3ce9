"""Wheels that others made: what is unpacked, and what is refused in one sentence."""

from __future__ import annotations

import resource
import struct
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from packaging_tool.errors import BuildError, InputError
from packaging_tool.wheels import licenses, published, wheel
from packaging_tool.wheels.wheel import Wheel
from tests.hostile.words import words

METADATA = "Metadata-Version: 2.1\nName: served\nVersion: 1.0\n"


def made(place: Path, files: dict[str, str | bytes], metadata: str = METADATA) -> Path:
    path = place / "served-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("served-1.0.dist-info/METADATA", metadata)
        for name, text in files.items():
            file.writestr(name, text)
    return path


def refusal(path: Path, place: Path) -> str:
    with pytest.raises(BuildError) as caught:
        Wheel(path).unpack(place)
    assert not place.exists(), "something was written"
    return str(caught.value.message)


def test_modules_and_data_are_unpacked(tmp_path: Path) -> None:
    path = made(tmp_path, {"served/a.py": "a", "served-1.0.data/purelib/b.py": "b", "served-1.0.data/scripts/c": "c"})
    assert Wheel(path).unpack(tmp_path / "site") == ["b.py", "served-1.0.dist-info/METADATA", "served/a.py"]


def test_metadata_that_unpacks_to_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    """A ZIP file of 1 MB may hold it."""
    path = tmp_path / "served-1.0-py3-none-any.whl"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file,
        file.open("served-1.0.dist-info/METADATA", "w") as out,
    ):
        for _ in range(64):
            out.write(bytes(1 << 20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BuildError, match=r"too large to unpack: 'served-1\.0.dist-info/METADATA' has 67108864 bytes"):
        _ = Wheel(path).name
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 << 10


def test_what_is_too_large_as_a_whole_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel, "WHOLE", 1000)
    path = made(tmp_path, {f"served/{number}.py": "x" * 300 for number in range(4)})
    assert "too large to unpack" in refusal(path, tmp_path / "site")


def _patched(change: Callable[[bytearray], None]) -> Callable[[Path], Path]:
    def make(place: Path) -> Path:
        path = made(place, {"served/a.py": "a" * 1000})
        data = bytearray(path.read_bytes())
        change(data)
        path.write_bytes(data)
        return path

    return make


def _each_header(data: bytearray, local: int, central: int, value: int) -> None:
    """Write a 16-bit field of the last file's headers. local, central: its place in each kind."""
    for mark, at in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
        struct.pack_into("<H", data, data.rfind(mark) + at, value)


DAMAGED = {
    "crc": _patched(lambda data: struct.pack_into("<I", data, data.rfind(b"PK\x01\x02") + 16, 1)),
    "encrypted": _patched(lambda data: _each_header(data, 6, 8, 1)),
    "method": _patched(lambda data: _each_header(data, 8, 10, 99)),
    "not-a-zip": _patched(lambda data: data.clear()),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_wheel_is_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    path = DAMAGED[name](tmp_path)
    with pytest.raises(BuildError, match=r"served-1\.0-py3-none-any\.whl (cannot be unpacked|is no wheel)"):
        Wheel(path).unpack(tmp_path / "site")


def test_two_entries_of_a_name_and_a_file_below_a_file_are_refused(tmp_path: Path) -> None:
    path = made(tmp_path, {"served/a": "1", "served/a/b": "2"})
    assert "a file served/a and a file served/a/b below it" in refusal(path, tmp_path / "site")
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = made(tmp_path, {"x.py": "1"})
        with zipfile.ZipFile(path, "a") as file:
            file.writestr("x.py", "2")
    assert "two files x.py" in refusal(path, tmp_path / "site")


@pytest.mark.parametrize("text", ["evil @ https://evil.example/evil-1.0.tar.gz ; extra == 'x'", "served @ file:///etc"])
def test_a_requirement_with_an_address_is_refused(text: str, tmp_path: Path) -> None:
    """pip builds what lies there, `--only-binary=:all:` or not."""
    path = made(tmp_path, {}, f"{METADATA}Requires-Dist: {text}\n")
    with pytest.raises(BuildError, match="an address"):
        _ = Wheel(path).requires
    folder = tmp_path / "core"
    folder.mkdir()
    (folder / published.SITE).write_text(f'core = ["a"]\n[dist.a]\nversion = "1"\nrequires = ["{text}"]\n')
    with pytest.raises(InputError, match="names an address"):
        published.read(folder)


def test_hostile_words_in_a_wheel_are_refused_or_harmless(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for word, text in words(mark):
        place = tmp_path / word
        place.mkdir()
        for key in ("Name", "Version", "License-Expression", "Requires-Dist"):
            path = made(place, {}, METADATA.replace("served", "zz") + f"{key}: {text}\n")
            if key in ("Name", "Version"):
                path = made(
                    place,
                    {},
                    "\n".join(line for line in METADATA.splitlines() if key not in line) + f"\n{key}: {text}\n",
                )
            try:
                found = Wheel(path)
                said = [found.name, found.version, licenses.of(found).id, *found.requires]
                assert all(one.isprintable() for one in said), (word, key, said)
                assert "@ http" not in " ".join(said)
            except BuildError as error:
                assert len(error.message) < 400, word
        if "\x00" not in text and text:
            path = made(place, {f"served/{text[:60_000]}.py": "x"})
            try:
                names = Wheel(path).unpack(place / "site")
                assert not any(unicodedata.category(letter) == "Cc" for name in names for letter in name), names
                assert not any(".." in name.split("/") for name in names), names
            except BuildError as error:
                assert "\x1b" not in error.message
    assert not mark.exists()
    assert {path.name for path in tmp_path.iterdir()} == {word for word, _ in words(mark)}
