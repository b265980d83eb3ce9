"""What commands of a project can reach: tried by a command that tries, in a run of the real command line."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from packaging_tool import closed, confine
from packaging_tool.errors import CommandError
from tests.workspace import Workspace

DESK = Path(__file__).parent / "samples/desk"
PASSPHRASE = "correct horse battery"  # noqa: S105 - of no real key
# Each attempt writes what it got into the folder `got` of what it builds; nothing there is nothing reached.
HOSTILE = r"""#!/bin/sh
out=$1 keys=$2 port=$3 root=$4
mkdir "$out/got"
try() { name=$1; shift; "$@" >"$out/got/$name" 2>/dev/null </dev/null || rm -f "$out/got/$name"; }
try key cat "$keys/manifest.key"
try keys ls -A "$keys"
try processes sh -c 'cat /proc/[0-9]*/environ | tr "\0" "\n" | grep -a -e MKPKGS_PASSPHRASE -e SECRET_TOKEN'
try own-environment sh -c 'env | grep -e PASSPHRASE -e SECRET_TOKEN'
try agent sh -c 'for home in "$0"/mkpkgs-gpg-*; do [ -d "$home" ] || continue
    echo forged | gpg --homedir "$home" --batch --clear-sign; done | grep -a SIGNATURE' "$5"
try network perl -MIO::Socket::INET -e 'IO::Socket::INET->new("127.0.0.1:$ARGV[0]") or exit 1; print "open"' "$port"
try terminal perl -e 'open T,"+</dev/tty" or exit 1; ioctl(T,0x5412,$_) for split //,"echo INJECTED\n"; print "typed"'
try outside sh -c ': >"$0/outside"; echo wrote' "$root/.."
try project sh -c ': >>"$0/mkpkgs.toml"; echo wrote' "$root"
try published sh -c ': >"$0/dist/evil"; echo wrote' "$root"
try staged sh -c 'for place in "$0"/.dist.*.staging; do : >"$place/evil" || exit 1; done; echo wrote' "$root"
try machine cat "$root/.mkpkgs/id"
try home sh -c 'ls -d /root/.config/mkpkgs /root/.ssh /root/.local /root/.cache 2>/dev/null | grep .'
try kernel sh -c 'exec 3>>/proc/sys/kernel/core_pattern && echo open'
try life sh -c 'setsid sleep "43.$0" >/dev/null & echo $!' "$port"
cp desk-echo "$out/desk-echo"
env | sed "s/=.*//" | sort >"$out/environment"
"""


@pytest.fixture(params=["bwrap", "plain"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def path_without(program: str, place: Path) -> str:
    """A PATH with all programs of ours but one."""
    place.mkdir()
    for folder in reversed(os.environ["PATH"].split(":")):
        for file in Path(folder).glob("*") if folder else ():
            if file.name != program:
                (place / file.name).unlink(missing_ok=True)
                (place / file.name).symlink_to(file)
    return str(place)


class Attack:
    """A project with a plugin whose build command tries what it can."""

    def __init__(self, directory: Path, kind: str) -> None:
        self.environment = {**os.environ, "MKPKGS_PASSPHRASE": PASSPHRASE, "SECRET_TOKEN": "token-of-ci"}
        self.environment["PATH"] = path_without("bwrap", directory / "bin") if kind == "plain" else os.environ["PATH"]
        # A keyring's directory has a short name.
        self.temporary = Path(tempfile.mkdtemp(prefix="mkpkgs-test-"))
        self.environment |= {"TMPDIR": str(self.temporary), "XDG_RUNTIME_DIR": ""}
        self.project = Workspace.at(directory / "work")
        shutil.copytree(DESK, self.project.root)
        self.environment |= {"MKPKGS_KEYS": str(self.project.keys), "PYTHONPATH": str(Path(__file__).parent.parent)}
        assert self.run("key", "new").returncode == 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.accepted: list[bool] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        # close(2) alone does not wake who waits in accept(2).
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        shutil.rmtree(self.temporary)

    def _accept(self) -> None:
        while True:
            try:
                self.listener.accept()[0].close()
            except OSError:
                return
            self.accepted.append(True)

    def arm(self, *, network: bool = False) -> None:
        root = self.project.root
        (root / "plugins/echo/try.sh").write_text(HOSTILE)
        port = self.listener.getsockname()[1]
        words = ["sh", "try.sh", "{output}", str(self.project.keys), str(port), str(root), str(self.temporary)]
        said = ", ".join(f'"{word}"' for word in words)
        more = ", network = true" if network else ""
        text = (root / "mkpkgs.toml").read_text()
        old = '{ files = "plugins/echo" }'
        assert old in text
        new = f'{{ source = "plugins/echo", build = [{said}]{more} }}'
        (root / "mkpkgs.toml").write_text(text.replace(old, new))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "packaging_tool", *arguments],
            cwd=self.project.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )

    def got(self) -> dict[str, str]:
        place = self.project.root / ".mkpkgs/exec/all/plugin-echo/got"
        return {path.name: path.read_text(errors="replace") for path in place.iterdir()}


@pytest.fixture
def attack(tmp_path: Path, kind: str) -> Iterator[Attack]:
    made = Attack(tmp_path, kind)
    yield made
    made.close()


def test_a_build_command_reaches_nothing(attack: Attack, kind: str) -> None:
    assert attack.run().returncode == 0
    attack.arm()
    done = attack.run()
    assert done.returncode == 0, done.stdout
    got = attack.got()
    if kind == "plain":
        subprocess.run(["kill", got["life"].strip()], check=False)
    # With our rights it may read what we may, but nothing that only this process knows.
    never = {"own-environment", "agent", "terminal"} | ({"processes"} if os.geteuid() else set())
    assert not never & got.keys(), got
    assert PASSPHRASE not in "".join(got.values())
    assert ("commands of the project run with all that you may do" in done.stdout) == (kind == "plain")
    if kind == "bwrap":
        # In directories of its own that have these names; below, that nothing came of it.
        assert set(got) - {"life", "outside", "staged"} == set(), got
        assert not attack.accepted
        assert not subprocess.run(
            ["pgrep", "-f", f"sleep 43.{attack.listener.getsockname()[1]}"], capture_output=True, check=False
        ).stdout
        assert not list(attack.project.dist.rglob("evil"))
        assert not (attack.project.root.parent / "outside").exists()


def test_a_command_gets_the_network_where_the_project_says_so(tmp_path: Path) -> None:
    attack = Attack(tmp_path, "bwrap")
    attack.arm(network=True)
    assert "\nbuild commands with the network: plugin.echo.exec\n" in attack.run("plan").stdout
    done = attack.run()
    assert done.returncode == 0, done.stdout
    assert set(attack.got()) - {"outside", "staged"} == {"life", "network"}
    attack.close()


def test_a_command_gets_the_environment_that_is_documented(attack: Attack) -> None:
    attack.arm()
    attack.run()
    names = (attack.project.root / ".mkpkgs/exec/all/plugin-echo/environment").read_text().split()
    documented = {"MKPKGS_OUTPUT", "PATH", "HOME", "LC_ALL", "TZ", "SOURCE_DATE_EPOCH"}
    assert set(names) - {"PWD", "OLDPWD", "SHLVL", "_", "RUSTUP_HOME"} == documented


def test_outputs_are_the_same_with_and_without_a_place_of_their_own(tmp_path: Path) -> None:
    found: list[dict[str, bytes]] = []
    monkey = {"SOURCE_DATE_EPOCH": "1700000000"}
    for kind in ("bwrap", "plain"):
        place = tmp_path / kind
        place.mkdir()
        attack = Attack(place, kind)
        attack.environment |= monkey
        if found:
            shutil.rmtree(attack.project.keys)
            shutil.copytree(tmp_path / "bwrap/work/keys", attack.project.keys)
        text = (attack.project.root / "mkpkgs.toml").read_text()
        command = (
            'build = ["sh", "-c", "cp desk-echo {output}; date >{output}/date; env | grep -v -e = >{output}/x || true"]'
        )
        (attack.project.root / "mkpkgs.toml").write_text(
            text.replace('{ files = "plugins/echo" }', f'{{ source = "plugins/echo", {command} }}')
        )
        done = attack.run()
        assert done.returncode == 0, done.stdout
        made = sorted(path for path in attack.project.dist.rglob("*") if path.suffix in (".deb", ".rpm"))
        found.append({path.name: path.read_bytes() for path in made})
        attack.close()
    # `date` is another each time, and no command is to write it.
    assert found[0].keys() == found[1].keys()
    assert [name for name in found[0] if found[0][name] != found[1][name] and "echo" not in name] == []


def test_nobody_reads_the_passphrase_of_a_run(tmp_path: Path) -> None:
    """Not even root, who reads all of a process's memory but finds nothing in what the kernel shows as environment."""
    attack = Attack(tmp_path, "bwrap")
    marker = tmp_path / "go"
    text = (attack.project.root / "mkpkgs.toml").read_text()
    command = f'build = ["sh", "-c", "cp desk-echo {{output}}; sleep 3; : {marker}"]'
    (attack.project.root / "mkpkgs.toml").write_text(
        text.replace('{ files = "plugins/echo" }', f'{{ source = "plugins/echo", {command} }}')
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "packaging_tool"],
        cwd=attack.project.root,
        env=attack.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        end = time.monotonic() + 60
        while not subprocess.run(["pgrep", "-P", str(process.pid), "bwrap"], capture_output=True, check=False).stdout:
            assert time.monotonic() < end
            time.sleep(0.02)
        seen = Path(f"/proc/{process.pid}/environ").read_bytes()
        homes = [*attack.temporary.glob("mkpkgs-gpg-*")]
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        assert b"SECRET_TOKEN" in seen
        assert PASSPHRASE.encode() not in seen
        assert not homes, "the keys are locked while commands run"
        assert re.search(r"Max core file size\s+0\s", limits)
    finally:
        process.communicate(timeout=120)
    assert process.returncode == 0
    attack.close()


def test_what_is_killed_leaves_no_key_for_longer_than_the_next_run() -> None:
    code = (
        "import os, sys; from pathlib import Path; from packaging_tool.signing import gpg\n"
        "secret, _, _ = gpg.generate('T <t@example.org>', 'ed25519', None)\n"
        "with gpg.from_file(secret, 1700000000, None):\n"
        "    print('ready', flush=True); sys.stdin.read()\n"
    )
    short = Path(tempfile.mkdtemp(prefix="mkpkgs-test-"))
    environment = {**os.environ, "TMPDIR": str(short), "XDG_RUNTIME_DIR": ""}
    command = [sys.executable, "-c", code]
    first = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert first.stdout is not None
    assert first.stdin is not None
    first.stdout.readline()
    (home,) = short.glob("mkpkgs-gpg-*")
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert home.exists()
    done = subprocess.run(command, env=environment, input=b"", capture_output=True, timeout=60, check=True)
    assert b"ready" in done.stdout
    assert not list(short.glob("*mkpkgs-gpg-*"))
    first.stdin.close()
    first.stdout.close()
    (runtime := short / "run").mkdir(mode=0o700)
    environment["XDG_RUNTIME_DIR"] = str(runtime)
    second = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert second.stdout is not None
    second.stdout.readline()
    assert [path.name for path in runtime.glob("mkpkgs-gpg-*")], "in memory, where the user has such a place"
    second.communicate(b"")
    assert not list(runtime.iterdir())
    shutil.rmtree(short)


def test_the_program_of_a_trial_has_no_terminal(tmp_path: Path) -> None:
    """TIOCSTI into the terminal of who builds: from the view and from the plain session alike."""
    code = (
        "import os; from pathlib import Path; from packaging_tool import confine\n"
        "shell = 'exec 3<>/dev/tty && echo open'\n"
        "place = Path(os.environ['PLACE'])\n"
        "done = confine.run_confined(['sh', '-c', shell], cwd=place, env={'PATH': os.environ['PATH']}, check=False)\n"
        "print('GOT', done.stdout)\n"
    )
    for path in (os.environ["PATH"], path_without("bwrap", tmp_path / "bin")):
        main, other = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=other,
            stdout=subprocess.PIPE,
            env={**os.environ, "PATH": path, "PLACE": str(tmp_path)},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        output, _ = process.communicate(timeout=60)
        os.close(main)
        os.close(other)
        assert output == b"GOT b''\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_another_user_than_root_gets_the_same(tmp_path: Path) -> None:
    place = Path("/var/tmp/mkpkgs-test-confine")  # noqa: S108 - made anew, where every user can walk to
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(mode=0o755)
    try:
        for name in ("source", "home", "keys"):
            (place / name).mkdir(mode=0o700)
            os.chown(place / name, 65534, 65534)
        shutil.copytree(Path(confine.__file__).parent, place / "packaging_tool")
        code = (
            "import os; from pathlib import Path; from packaging_tool import confine\n"
            "here = Path('source').absolute()\n"
            "with confine.guarding([Path('keys')], warn=print):\n"
            "    done = confine.run_confined(['sh', '-c', 'id -u; ls ../keys ../home 2>&1; echo x >y; echo x >../z'],\n"
            "        cwd=here, env=confine.environment(here, 0), writable=[here], check=False)\n"
            "print(done.stdout.decode(), done.stderr.decode())\n"
        )
        argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c", code]
        env = {"PATH": os.environ["PATH"], "HOME": str(place / "home"), "TMPDIR": str(place / "source")}
        done = subprocess.run(argv, cwd=place, env=env, capture_output=True, text=True, check=True)
        assert done.stdout.startswith("65534\n")
        assert "run with all that you may do" not in done.stdout
        assert done.stdout.count("No such file") == 2
        assert (place / "source/y").exists()
        assert not (place / "z").exists()
    finally:
        shutil.rmtree(place)


def test_a_program_that_is_missing_is_told_as_outside(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="nothing-of-this-name: not found"):
        confine.run_confined(["nothing-of-this-name"], cwd=tmp_path, env={"PATH": "/usr/bin:/bin"})


def test_a_directory_that_is_reached_by_a_link_in_a_hidden_one_is_there(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/file").write_text("here\n")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    env = {"PATH": "/usr/bin:/bin"}
    done = confine.run_confined(["cat", "file"], cwd=tmp_path / "link", env=env)
    assert done.stdout == b"here\n"
    done = confine.run_confined(["cat", str(tmp_path / "link/file")], cwd=tmp_path / "link", env=env)
    assert done.stdout == b"here\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="another user cannot read it anyway")
def test_root_s_commands_read_what_a_plain_user_can_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not below /tmp, where nothing is to be seen anyway.
    top = Path(tempfile.mkdtemp(prefix="mkpkgs-test-", dir="/var/lib"))
    try:
        top.chmod(0o755)
        modes = {"open": 0o644, "closed": 0o600, "data/main/table": 0o644, "listed/file": 0o644, "lent/file": 0o600}
        for name, mode in {**modes, "project/file": 0o600, "project/below/file": 0o600}.items():
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_text("here\n")
            (top / name).chmod(mode)
        (top / "data/main").chmod(0o700)
        (top / "listed").chmod(0o711)
        (top / "project/below").chmod(0o700)
        (top / "link").symlink_to("closed")
        monkeypatch.setattr(closed, "DEPTHS", {"/etc": 5, str(top): 3})
        closed.places.cache_clear()
        expected = {top / name for name in ("closed", "data/main", "listed", "lent/file", "project/file")}
        assert {Path(path) for path in closed.places() if path.startswith(str(top))} == expected | {
            top / "project/below"
        }
        project, env = top / "project", {"PATH": "/usr/bin:/bin"}
        script = 'for file; do [ ! -s "$file" ] || echo "$file"; done'
        names = [str(top / name) for name in (*modes, "link", "project/file", "project/below/file")]
        names += [f"/etc/{name}" for name in ("shadow", "shadow-", "gshadow-", "passwd")]
        done = confine.run_confined(
            ["sh", "-c", script, "sh", *names], cwd=project, env=env, lent=[top / "lent/file"], writable=[tmp_path]
        )
        seen = ["open", "lent/file", "project/file", "project/below/file"]
        assert done.stdout.decode().split() == [*(str(top / name) for name in seen), "/etc/passwd"]
        # Many of them in one directory are one argument.
        for number in range(closed.MOST + 1):
            (top / "data" / str(number)).write_text("here\n")
            (top / "data" / str(number)).chmod(0o600)
        assert [path for path in closed.below(str(top), 3) if "/data" in path] == [str(top / "data")]
    finally:
        closed.places.cache_clear()
        shutil.rmtree(top)
