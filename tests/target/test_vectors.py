"""The target reads manifests, signatures and keys exactly as Python does: both judge the same good and bad ones."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from packaging_tool.package import manifest
from packaging_tool.target import runtime
from tests.target.conftest import SHELLS, machine_of
from tests.target.machine import AWKS, Key, Machine
from tests.vectors import make

VECTORS = Path(__file__).parent.parent / "vectors/manifest"
PARSER = Path(runtime.__file__).parent.parent / "templates/target/parse.awk"


def read(awk: str, directory: Path, data: bytes, name: str) -> tuple[list[str], list[str], str]:
    """What the target's parser makes of a manifest that lies there as NAME.manifest: rows, files, refusals."""
    copies = directory / "m"
    copies.mkdir(parents=True)
    (copies / f"{name}.manifest").write_bytes(data)
    (directory / "sizes").write_text(f"{len(data)}\t{name}.manifest\n")
    values = {
        "SHARE": "/usr/share/caddy",
        "KIT": "/kit",
        "PLUGINS": "/plugins",
        "CORE": "caddy",
        "REINSTALL": "apt-get install --reinstall",
        **{key: str(directory / key.lower()) for key in ("REFUSED", "SIZES", "ROWS", "FILES")},
    }
    options = [word for key, value in values.items() for word in ("-v", f"{key}={value}")]
    command = [awk, *options, "-f", str(PARSER), str(directory / "sizes"), str(copies / f"{name}.manifest")]
    subprocess.run(command, check=True, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"})
    lines = [(directory / part) for part in ("rows", "files", "refused")]
    rows, files, refused = (path.read_bytes().decode().split("\n")[:-1] if path.exists() else [] for path in lines)
    return rows, files, "\n".join(refused)


@pytest.mark.parametrize("awk", AWKS)
@pytest.mark.parametrize("path", sorted((VECTORS / "good").iterdir()), ids=lambda path: path.stem)
def test_good_manifests_are_read_alike(tmp_path: Path, path: Path, awk: str) -> None:
    data = path.read_bytes()
    known = manifest.parse(data)
    name = known.plugin or "kit"
    rows, files, refused = read(awk, tmp_path, data, name)
    assert refused == ""
    assert rows == [
        "\t".join(
            (
                name,
                known.core,
                known.abi,
                known.package,
                known.version,
                str(known.order if known.plugin else 0),
                "yes" if known.optional else "no",
                ",".join(known.needs) or "-",
            )
        )
    ]
    base = f"/plugins/{name}" if known.plugin else "/kit"
    assert files == [f"{name}\t{file.sha256}\t{base}/{file.path}" for file in known.files]


@pytest.mark.parametrize("awk", AWKS)
@pytest.mark.parametrize("path", sorted((VECTORS / "bad").iterdir()), ids=lambda path: path.stem)
def test_bad_manifests_are_refused(tmp_path: Path, path: Path, awk: str) -> None:
    for name in ("git", "kit"):
        rows, files, refused = read(awk, tmp_path / name, path.read_bytes(), name)
        assert (rows, files) == ([], [])
        assert refused.startswith(f"{name}\t/usr/share/caddy/")


# What the tool says for each reason that a bad case has.
SAYS = {
    "key": "\n  repair: apt-get install --reinstall fake\n",
    "signature": "plugin bell: /usr/share/fake/plugins/bell.manifest.sig ",
    "revoked": "which is revoked",
    "expired": "which expired on 2020-02-29",
    "unknown": "plugin bell: its manifest is signed by the unknown key ",
    "mismatch": "plugin bell: the signature of its manifest does not fit",
}


@pytest.fixture(scope="module", params=SHELLS)
def verifier(request: pytest.FixtureRequest, base: Path, key: Key, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """A machine with no key and no plugin, on which the package of the plugin `bell` is on record."""
    shell: str = request.param
    machine = machine_of(base, key, tmp_path_factory.mktemp("verifier"), SHELLS[shell])
    machine.record("fake-plugin-bell", "1.0-1")
    return machine


@pytest.fixture
def judged(verifier: Machine, case: Path) -> Iterator[tuple[int, str]]:
    """Status and words of the tool about a case."""
    trusted = verifier.share / "keys"
    shutil.rmtree(trusted)
    trusted.mkdir()
    for path in case.iterdir():
        if path.suffix == ".pub" or path.name == "revoked":
            shutil.copyfile(path, trusted / path.name)
        elif path.name not in ("reason", "bad-lines"):
            shutil.copyfile(path, verifier.share / "plugins" / path.name)
    verifier.list_core()
    payload = verifier.plugins / "bell"
    for number, file in enumerate(manifest.parse((case / "bell.manifest").read_bytes()).files):
        payload.mkdir(exist_ok=True)
        (payload / file.path).write_text(f"{number}")
    done = verifier.tool("verify")
    yield done.returncode, done.stdout.replace("fake-plugins: ", "")
    shutil.rmtree(payload, ignore_errors=True)


GOOD, BAD = (sorted((make.FOLDER / folder).iterdir()) for folder in ("good", "bad"))


@pytest.mark.parametrize("case", GOOD, ids=lambda path: path.name)
def test_good_signatures_are_taken(case: Path, judged: tuple[int, str]) -> None:
    if make.bad_lines_of(case):
        assert (judged[0], told_lines(judged[1])) == (1, make.bad_lines_of(case))
        assert "plugin bell" not in judged[1]
    else:
        assert judged == (0, "all plugins are verified: bell\n")


def told_lines(said: str) -> list[int]:
    """Numbers of the lines of the list of revoked keys that the tool calls bad."""
    return [
        int(number) for number in re.findall(r"^/usr/share/fake/keys/revoked line ([0-9]+) is not a key id", said, re.M)
    ]


@pytest.mark.parametrize("case", BAD, ids=lambda path: path.name)
def test_bad_signatures_are_refused_for_their_reason(case: Path, judged: tuple[int, str]) -> None:
    status, said = judged
    assert status == 1
    assert SAYS[(case / "reason").read_text().strip()] in f"\n{said}"
    assert told_lines(said) == make.bad_lines_of(case)
