"""The keys of a project: where they are, who may read them, and how they open."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from packaging_tool.errors import InputError, SigningError
from packaging_tool.signing import keys, secrets, signify

UID = "Test <test@example.org>"
TIME = 1_900_000_000


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("MKPKGS_KEYS", "MKPKGS_PASSPHRASE", "MKPKGS_PASSPHRASE_FILE", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_new_keys_are_private_whatever_the_umask(tmp_path: Path) -> None:
    code = "import os; os.umask(0); from packaging_tool.signing import keys; keys.new('caddy', 'T <t@example.org>')"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent.parent.parent)
    place = tmp_path / "home" / ".config" / "mkpkgs" / "keys" / "caddy"
    modes = {path.name: path.stat().st_mode & 0o777 for path in place.iterdir()}
    assert modes == {"repository.key": 0o600, "repository.asc": 0o644, "manifest.key": 0o600, "manifest.pub": 0o644}
    assert place.stat().st_mode & 0o777 == 0o700


def test_keys_lie_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert secrets.directory_of("caddy") == tmp_path / "home/.config/mkpkgs/keys/caddy"
    monkeypatch.setenv("XDG_CONFIG_HOME", "/xdg")
    assert secrets.directory_of("caddy") == Path("/xdg/mkpkgs/keys/caddy")
    monkeypatch.setenv("MKPKGS_KEYS", "/mine")
    assert secrets.directory_of("caddy") == Path("/mine")
    assert secrets.directory_of("caddy", Path("/chosen")) == Path("/chosen")


def test_keys_are_never_overwritten(tmp_path: Path) -> None:
    keys.new("caddy", UID, directory=tmp_path / "k")
    before = {path.name: path.read_bytes() for path in (tmp_path / "k").iterdir()}
    with pytest.raises(SigningError, match="never overwritten"):
        keys.new("caddy", UID, directory=tmp_path / "k")
    assert {path.name: path.read_bytes() for path in (tmp_path / "k").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_keys_do_not_go_into_the_project(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "link").symlink_to(project)
    for place in (project / "keys", project / ".." / "project" / "keys", tmp_path / "link" / "keys"):
        with pytest.raises(SigningError, match="inside of the project"):
            keys.new("caddy", UID, directory=place, outside=project)
    assert not list(project.iterdir())


def test_without_keys_the_message_says_how_to_make_them() -> None:
    with pytest.raises(SigningError, match="there are no keys for caddy") as caught, keys.load("caddy", TIME):
        pass
    assert caught.value.hint.startswith("run: mkpkgs key new")


@pytest.mark.parametrize("name", ["repository.key", "manifest.key"])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, name: str) -> None:
    keys.new("caddy", UID, directory=tmp_path / "k")
    (tmp_path / "k" / name).chmod(0o640)
    with (
        pytest.raises(SigningError, match=f"others can read .*{name}") as caught,
        keys.load("caddy", TIME, tmp_path / "k") as ring,
    ):
        ring.unlock()
    assert "chmod 600" in caught.value.hint


def test_a_directory_in_which_others_can_change_keys_is_refused(tmp_path: Path) -> None:
    keys.new("caddy", UID, directory=tmp_path / "k")
    (tmp_path / "k").chmod(0o770)
    with pytest.raises(SigningError, match="others can change"), keys.load("caddy", TIME, tmp_path / "k"):
        pass


@pytest.mark.parametrize("kind", list(signify.ALGORITHMS))
def test_a_ring_signs_manifests_that_its_public_key_verifies(tmp_path: Path, kind: str) -> None:
    keys.new("caddy", UID, directory=tmp_path / "k", kinds=("ed25519", kind))
    with keys.load("caddy", TIME, tmp_path / "k") as ring:
        signature = ring.sign_manifest(b"manifest")
        public = signify.parse_public(ring.manifest_public_keys["manifest.pub"])
    assert public.kind == kind
    public.verify(b"manifest", signature)


def test_the_passphrase_comes_from_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MKPKGS_PASSPHRASE", "correct horse")
    keys.new("caddy", UID, directory=tmp_path / "k")
    assert b"ENCRYPTED" in (tmp_path / "k" / "manifest.key").read_bytes()
    monkeypatch.delenv("MKPKGS_PASSPHRASE")
    (tmp_path / "pass").write_text("correct horse\n")
    (tmp_path / "pass").chmod(0o600)
    monkeypatch.setenv("MKPKGS_PASSPHRASE_FILE", str(tmp_path / "pass"))
    with keys.load("caddy", TIME, tmp_path / "k") as ring:
        ring.unlock()
    for wrong in ({}, {"MKPKGS_PASSPHRASE": "battery"}):
        with monkeypatch.context() as changed:
            changed.delenv("MKPKGS_PASSPHRASE_FILE")
            for name, value in wrong.items():
                changed.setenv(name, value)
            with pytest.raises(SigningError, match="passphrase"), keys.load("caddy", TIME, tmp_path / "k") as ring:
                ring.unlock()


def test_a_passphrase_file_that_is_missing_is_an_error_and_not_no_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MKPKGS_PASSPHRASE_FILE", "/nonexistent/pass")
    with pytest.raises(InputError, match="/nonexistent/pass"):
        secrets.passphrase()


def test_a_passphrase_of_several_lines_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """gpg would read only the first."""
    monkeypatch.setenv("MKPKGS_PASSPHRASE", "one\ntwo")
    with pytest.raises(InputError, match="one line"):
        secrets.passphrase()


def test_show_needs_no_passphrase_and_lists_further_trusted_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MKPKGS_PASSPHRASE", "correct horse")
    keys.new("caddy", UID, directory=tmp_path / "k")
    monkeypatch.delenv("MKPKGS_PASSPHRASE")
    following = signify.generate("ecdsa-p256").public
    (tmp_path / "k" / "2030.pub").write_bytes(following.render("next"))
    shown = keys.show("caddy", tmp_path / "k")
    assert [(key.purpose, key.kind) for key in shown] == [
        ("repository", "ed25519"),
        ("manifest", "ed25519"),
        ("manifest", "ecdsa-p256"),
    ]
    assert shown[2].fingerprint == following.id.hex()
    with keys.load("caddy", TIME, tmp_path / "k") as ring:
        assert list(ring.manifest_public_keys) == ["manifest.pub", "2030.pub"]


def test_another_key_is_another_fingerprint_of_the_ring(tmp_path: Path) -> None:
    found = set()
    for name in ("a", "b"):
        keys.new("caddy", UID, directory=tmp_path / name)
        for _ in range(2):
            with keys.load("caddy", TIME, tmp_path / name) as ring:
                found.add(ring.fingerprint)
    assert len(found) == 2


def test_a_secret_key_and_the_public_key_of_another_are_noticed(tmp_path: Path) -> None:
    keys.new("caddy", UID, directory=tmp_path / "k")
    (tmp_path / "k" / "manifest.pub").write_bytes(signify.generate("ed25519").public.render("other"))
    with pytest.raises(SigningError, match="not a pair"), keys.load("caddy", TIME, tmp_path / "k") as ring:
        ring.unlock()


def test_a_key_file_may_name_a_key_of_the_users_own_keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "k"
    (repository, _) = keys.new("caddy", UID, directory=place)
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    subprocess.run(["gpg", "--batch", "--import", place / "repository.key"], check=True, capture_output=True)
    try:
        (place / "repository.key").write_text(f"gpg:{repository.fingerprint}\n")
        (place / "repository.asc").unlink()
        assert keys.show("caddy", place)[0].fingerprint == repository.fingerprint
        with keys.load("caddy", TIME, place) as ring:
            ring.unlock()
            assert ring.signer.fingerprint == repository.fingerprint
        (place / "repository.key").write_text("gpg:someone@example.org\n")
        with pytest.raises(SigningError, match="fingerprint"), keys.load("caddy", TIME, place) as ring:
            ring.unlock()
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], check=True)


def test_a_passphrase_file_that_others_can_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pass").write_text("correct horse\n")
    (tmp_path / "pass").chmod(0o644)
    monkeypatch.setenv("MKPKGS_PASSPHRASE_FILE", str(tmp_path / "pass"))
    with pytest.raises(InputError, match="others can read") as caught:
        secrets.passphrase()
    assert "chmod 600" in caught.value.hint


def test_locked_keys_are_unlocked_when_they_are_used_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MKPKGS_PASSPHRASE", "correct horse")
    keys.new("caddy", UID, directory=tmp_path / "k")
    with keys.load("caddy", TIME, tmp_path / "k") as ring:
        ring.unlock()
        before = ring.signer.detached(b"data")
        home = ring.signer._home
        assert home is not None
        assert home.exists()
        ring.lock()
        assert not home.exists()
        assert ring.signer.detached(b"data") == before
        assert ring.sign_manifest(b"manifest")
