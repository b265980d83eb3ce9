"""What code in a clean root could do to this machine, tried by its root: every way out that is known is one test."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from packaging_tool.authors import cell, room
from packaging_tool.authors.apt import Apt
from packaging_tool.authors.room import INBOX, Room, Said
from packaging_tool.listener import Silent
from tests.acceptance.conftest import NOT_SHOWN, keep
from tests.hostile.words import words
from tests.processes import own_time, sleeping
from tests.tiers import at_night

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of this module's."""
    if os.geteuid() != 0:
        pytest.skip(f"{NOT_SHOWN}it needs root")
    shared, own = room.cache_directory(), tmp_path_factory.mktemp("cache") / "mkpkgs"
    keep(shared, own)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(own.parent))
        yield own
        keep(own, shared)
    assert not list(own.glob("room-*"))


@pytest.fixture(scope="module")
def place(cache: Path) -> Iterator[Room]:
    """A room in which foreign code may run."""
    with room.clean("debian12", Apt(), Silent()) as made:
        made.shut()
        yield made


@pytest.fixture
def another(cache: Path) -> Iterator[Room]:
    """A room for one test that damages it."""
    with room.clean("debian12", Apt(), Silent()) as made:
        yield made


def sh(place: Room, script: str, *arguments: str, online: bool = False) -> Said:
    return place.run("sh", "-c", script, "sh", *arguments, online=online)


def perl(place: Room, script: str, *arguments: str) -> Said:
    return place.run("perl", "-e", script, *arguments)


# ---- the terminal

TYPES = r"""
for $path (glob("/dev/tty @ARGV"), map { "/proc/self/fd/$_" } 0 .. 9) {
    open T, "+<", $path or next;
    ioctl(T, 0x5412, $_) for split //, "echo INJECTED\n";
}
"""
ATTACK = """
from pathlib import Path
from packaging_tool.authors.room import Room
place = Room(Path({directory!r}), Path({directory!r}))
said = place.run("perl", "-e", {script!r}, "/dev/console", "/dev/pts/*")
print("STATUS", said.status, said.text)
print("TTY", place.run("sh", "-c", "( : </dev/tty )").status)
"""


def test_it_types_nothing_into_the_terminal_of_the_caller(place: Room, tmp_path: Path) -> None:
    (tmp_path / "attack.py").write_text(ATTACK.format(directory=str(place.directory), script=TYPES))
    (tmp_path / "own.pl").write_text(TYPES)

    def session(command: str) -> str:
        """What a shell reads from its terminal after a command.

        Its terminal types nothing of its own: at the end of what script(1) reads, it would type ^D, and the shell would
        take that for the end of all.
        """
        script = f'{command}; IFS= read -r -t 2 line; echo "READ:<$line>"'
        words = ["script", "-qec", f"bash -c '{script}'", "/dev/null"]
        silent, keyboard = os.pipe()
        try:
            done = subprocess.run(words, capture_output=True, text=True, stdin=silent, timeout=120)
        finally:
            os.close(silent)
            os.close(keyboard)
        return done.stdout.replace("\r", "")

    said = session(f"{sys.executable} {tmp_path}/attack.py")
    assert "STATUS 0 " in said
    assert "TTY 2" in said
    assert "READ:<>" in said
    # The attack works where there is no room; there it is let loose on its own terminal alone.
    if Path("/proc/sys/dev/tty/legacy_tiocsti").read_text().strip() == "1":
        assert "READ:<echo INJECTED>" in session(f"perl {tmp_path}/own.pl")


def test_it_is_in_a_session_of_its_own_without_a_terminal(place: Room) -> None:
    fields = place.run("cat", "/proc/self/stat").text.rpartition(")")[2].split()
    session, terminal = int(fields[3]), int(fields[4])
    # 0: the leader is none that is seen in the room.
    assert (session, terminal) == (0, 0)
    assert place.run("readlink", "/proc/self/fd/0").text == "/dev/null\n"


# ---- users and rights


def test_its_root_is_nobody_outside(place: Room) -> None:
    assert sh(place, "touch /mine && cp /bin/sh /raised && chmod 4755 /raised && id -u").text == "0\n"
    for name in ("mine", "raised"):
        assert (place.root / name).stat().st_uid >= 65536
    inner, outer, count = map(int, place.run("cat", "/proc/self/uid_map").text.split())
    assert (inner, count) == (0, 65536)
    assert outer == cell.RANGE or f":{outer}:" in Path("/etc/subuid").read_text()


KERNEL = (
    "printf '%s\\n' \"$(cat /proc/sys/kernel/core_pattern)\" >/proc/sys/kernel/core_pattern",
    ": >>/proc/sys/vm/drop_caches",
    ": >>/proc/sys/kernel/hostname",
    ": >>/proc/sysrq-trigger",
    "for file in /proc/irq/*/smp_affinity; do : >>$file || exit 1; done",
    "umount /proc/sys",
    "umount -l /proc",
    "mount -o remount,bind,rw /proc/sys",
    f"mount -o remount,bind,rw {INBOX}",
    "mount -t proc proc /mnt",
    "mount -t sysfs sysfs /mnt",
    "mount -t cgroup2 cgroup2 /mnt",
    "mount -t devtmpfs devtmpfs /mnt",
    "mount -t debugfs debugfs /mnt",
    "unshare --user --map-root-user --mount mount -o remount,bind,rw /proc/sys",
    "unshare --user --map-root-user --mount umount /proc/sys",
    "unshare --pid --fork --mount mount -t proc proc /mnt",
    "mknod /disk b 8 0",
    "mknod /memory c 1 1",
    "cat /dev/mem",
    "cat /dev/kmsg",
    "dmesg",
    "head -c 1 /proc/kcore | grep -q .",
    "chmod 0666 /dev/null",
    "chown 1 /dev/null",
    "mkdir /dev/own",
    "hostname other",
    "date -s 2000-01-01",
    "ls /sys/kernel",
    "ls /sys/fs/cgroup/*",
    f"touch {INBOX}/file",
    f"cp /bin/sh {INBOX}/out/sh",
    "nsenter --target 1 --mount true",
    "nsenter --target 1 --user true",
    "cat /proc/1/environ",
    "ls /proc/1/fd",
    "ls /proc/1/root/",
    "ls /proc/1/cwd/../..",
    "head -c 1 /proc/1/mem",
    "kill -0 1",
    "swapoff -a; test $? -eq 0",
)


@pytest.mark.parametrize("script", KERNEL)
def test_it_changes_and_reads_nothing_of_the_kernel_and_of_processes_outside(script: str, place: Room) -> None:
    if script.startswith("swapoff"):
        # It says nothing where there is no swap space.
        script = "swapon /bin/sh"
    assert sh(place, script).status != 0, script


def test_it_has_no_right_that_package_managers_do_not_need(place: Room) -> None:
    rows = dict(line.split(":\t") for line in place.run("cat", "/proc/self/status").text.splitlines() if ":\t" in line)
    allowed = sum(1 << number for number in cell.CAPABILITIES)
    assert {int(rows[name], 16) for name in ("CapPrm", "CapEff", "CapBnd")} == {allowed}
    assert int(rows["CapInh"], 16) == int(rows["CapAmb"], 16) == 0
    assert rows["NoNewPrivs"] == "1"
    assert rows["Groups"].split() == ["0"] or not rows["Groups"].strip()


def test_a_program_that_is_set_to_root_is_no_more_than_its_caller(place: Room) -> None:
    said = sh(place, "cp /usr/bin/id /id; chmod 4755 /id; setpriv --reuid 1000 --regid 1000 --clear-groups /id -u")
    assert said.text == "1000\n"


# ---- what it sees


def test_it_sees_no_file_no_word_and_no_process_of_the_caller(
    place: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine\n")
    monkeypatch.setenv("MKPKGS_TEST_SECRET", "S3CR3T")
    monkeypatch.setenv("http_proxy", "http://user:S3CR3T@127.0.0.1:9")
    opened = os.open(secret, os.O_RDONLY)
    os.set_inheritable(opened, True)
    try:
        said = sh(place, 'cat /proc/[0-9]*/environ; env; ls /proc/self/fd; cat "$1" /proc/self/fd/*', str(secret))
    finally:
        os.close(opened)
    assert "S3CR3T" not in said.text
    assert "mine" not in said.text
    # Of ls itself, one is the directory.
    assert sh(place, "ls /proc/self/fd").text.split() == ["0", "1", "2", "3"]
    assert len(sh(place, "ls -d /proc/[0-9]*").text.split()) < 5
    assert place.run("hostname").text == "room\n"
    assert sh(place, "mount | grep -c mkpkgs.*busy").text == "0\n"


def test_it_ends_no_process_outside_and_leaves_none(place: Room) -> None:
    with subprocess.Popen(["sleep", "60"]) as outside:
        sh(place, "kill -9 -1; sleep 600 & setsid sleep 600 &")
        assert outside.poll() is None
        outside.kill()
    assert not [process for process in Path("/proc").glob("[0-9]*") if str(place.root) in _text(process / "mountinfo")]


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def test_it_reaches_no_server_of_the_machine(place: Room, tmp_path: Path) -> None:
    name = f"mkpkgs-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as web, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0{name}")
        abstract.listen()
        assert f"@{name}" in Path("/proc/net/unix").read_text()
        script = (
            "use Socket; socket(S, PF_INET, SOCK_STREAM, 0); print connect(S, pack_sockaddr_in($ARGV[0], "
            'inet_aton("127.0.0.1"))) ? "in" : "no"; socket(U, PF_UNIX, SOCK_STREAM, 0); '
            'print connect(U, pack("Sa*", 1, "\\0$ARGV[1]")) ? "in" : "no"'
        )
        assert perl(place, script, str(web.getsockname()[1]), name).text == "nono"
        assert name not in place.run("cat", "/proc/net/unix").text


def test_it_reads_no_key_of_the_callers_keyrings(place: Room) -> None:
    numbers = {"x86_64": (248, 250), "aarch64": (217, 219)}.get(platform.machine())
    libc = ctypes.CDLL(None, use_errno=True)
    if numbers is None:
        pytest.skip(f"{NOT_SHOWN}system calls of another machine")
    # add_key(2) into the session's keyring.
    key = libc.syscall(numbers[0], b"user", b"mkpkgs-test", b"S3CR3T", ctypes.c_size_t(6), -3)
    if key < 0:
        pytest.skip(f"{NOT_SHOWN}there are no keyrings here")
    try:
        script = "$b = ' ' x 99; print syscall($ARGV[0], 11, $ARGV[1] + 0, $b, 99), $b"
        assert (
            "S3CR3T"
            in subprocess.run(["perl", "-e", script, str(numbers[1]), str(key)], capture_output=True, text=True).stdout
        )
        said = perl(place, script, str(numbers[1]), str(key))
        assert said.text.startswith("-1")
        assert "S3CR3T" not in said.text
        assert "mkpkgs-test" not in place.run("cat", "/proc/keys").text
    finally:
        libc.syscall(numbers[1], 21, key)


def test_it_shares_no_memory_with_the_machine(place: Room) -> None:
    made = subprocess.run(["ipcmk", "-M", "4096"], capture_output=True, text=True, check=True).stdout.split()[-1]
    try:
        assert sh(place, "sed 1d /proc/sysvipc/shm").text == ""
    finally:
        subprocess.run(["ipcrm", "-m", made], check=True)


def test_words_come_to_a_program_as_they_are(place: Room, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for name, word in words(mark):
        if "\0" not in word:
            text = word[:1000]
            assert place.run("printf", "%s", text).text == text, name
    assert not mark.exists()


# ---- what it leaves


def test_links_that_it_leaves_in_the_root_lead_nobody_outside(another: Room, tmp_path: Path) -> None:
    target = tmp_path / "target"
    (target / "sub").mkdir(parents=True)
    (target / "sub/file").write_text("mine\n")
    another.shut()
    assert sh(another, 'mv /etc /old; ln -s "$1" /etc; ln -s "$1" /link; mkdir -m 0 /closed', str(target)).status == 0
    # Nothing of the machine is mounted or written there for the next program.
    assert another.run("true").status == 0
    for name in ("proc", "dev", "mkpkgs"):
        script = 'umount -l "/$2" 2>/dev/null; mv "/$2" "/old-$2" 2>/dev/null || mount --bind / /mnt'
        sh(another, f"{script}; cd /mnt && mv $2 old-$2 && ln -s $1 $2", "sh", str(target), name)
        assert (another.root / name).is_dir()
    assert another.remove().status == 0
    assert not another.root.exists()
    assert (target / "sub/file").read_text() == "mine\n"
    assert [path.name for path in target.iterdir()] == ["sub"]


@pytest.mark.parametrize("name", ["proc", at_night("dev"), at_night("mkpkgs")])
def test_a_place_of_a_mount_that_is_a_link_now_is_refused(name: str, another: Room, tmp_path: Path) -> None:
    # It cannot become one from inside, since something is mounted there.
    assert sh(another, f"rmdir /{name} || mv /{name} /other").status != 0
    (another.root / name).rename(another.root / "other")
    (another.root / name).symlink_to(tmp_path)
    said = another.run("true")
    assert (said.status, said.text) == (cell.BROKEN, f"/{name} of the root is no directory any more\n")
    assert not list(tmp_path.iterdir())


def test_the_cache_is_closed_to_others_and_has_nothing_that_it_wrote(cache: Path, another: Room) -> None:
    another.shut()
    script = "cp /bin/bash /suid; chmod 4755 /suid; cp -p /suid /var/cache/apt/archives/suid; cp -p /suid /var/tmp"
    assert sh(another, script).status == 0
    for folder in (cache, cache / "archives-debian12", another.directory):
        assert folder.stat().st_mode & 0o777 == 0o700
    raised = [path for path in cache.rglob("*") if path.is_file() and path.lstat().st_mode & 0o6000]
    assert another.root / "suid" in raised
    assert not [path for path in raised if path.lstat().st_uid == 0]
    assert all("root" in path.relative_to(cache).parts for path in raised)


# ---- the network

MARK = "mkpkgs-check-foreign"
LOGGER = f"""\
#!/bin/sh
mv /usr/bin/apt-get /usr/bin/apt-get.real
cat >/usr/bin/apt-get <<'END'
#!/bin/sh
{{ echo "== $*"; cat /proc/net/dev /proc/net/unix; }} >>/{MARK}
exec apt-get.real "$@"
END
chmod 0755 /usr/bin/apt-get
"""


def stub_deb(directory: Path, name: str, depends: str = "", postinst: str = "") -> Path:
    """A .deb made by dpkg-deb, which does not know our writer."""
    tree = directory / name
    (tree / "DEBIAN").mkdir(parents=True)
    control = f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: x\n"
    (tree / "DEBIAN/control").write_text(control + (f"Depends: {depends}\n" if depends else ""))
    if postinst:
        (tree / "DEBIAN/postinst").write_text(postinst)
        (tree / "DEBIAN/postinst").chmod(0o755)
    path = directory / f"{name}.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", tree, path], check=True, capture_output=True)
    return path


def test_all_is_fetched_before_foreign_code_runs_and_that_has_no_network(
    cache: Path, another: Room, tmp_path: Path
) -> None:
    core = stub_deb(tmp_path, "greeting-core", postinst=LOGGER)
    plugin = stub_deb(tmp_path, "greeting-plugin", "tree, greeting-core")
    another.put([core, plugin])
    kept = cache / "archives-debian12"
    for path in kept.glob("tree_*"):
        path.unlink()
    Apt().fetch(another, [[core], [core, plugin]])
    assert sh(another, f"test -e /{MARK}").status == 1
    fetched, *others = kept.glob("tree_*.deb")
    assert not others
    assert subprocess.run(["dpkg-deb", "--info", fetched], capture_output=True).returncode == 0
    Apt().install(another, [core])
    Apt().install(another, [plugin])
    assert another.run("dpkg-query", "-W", "-f", "${Status}", "tree").text == "install ok installed"
    log = another.run("cat", f"/{MARK}").text
    assert "== -q -y" in log
    assert {line.partition(":")[0].strip() for line in log.splitlines() if "|" not in line and ": " in line} <= {
        "lo",
        "Num",
        "Inter-",
    }
    assert "/" not in "".join(line for line in log.splitlines() if not line.startswith("=="))
    with pytest.raises(ValueError, match="foreign code"):
        another.run("true", online=True)


def test_a_kept_package_that_is_not_what_the_index_says_is_not_used(cache: Path, another: Room, tmp_path: Path) -> None:
    plugin = stub_deb(tmp_path, "greeting-plugin", "tree")
    another.put([plugin])
    kept = cache / "archives-debian12"
    Apt().fetch(another, [[plugin]])
    (good,) = kept.glob("tree_*.deb")
    expected = hashlib.sha256(good.read_bytes()).hexdigest()
    good.write_bytes(b"x" * good.stat().st_size)
    with room.clean("debian12", Apt(), Silent()) as place:
        place.put([plugin])
        Apt().fetch(place, [[plugin]])
        assert hashlib.sha256(good.read_bytes()).hexdigest() == expected
        Apt().install(place, [plugin])


# ---- time and space


def test_what_never_ends_and_what_never_stops_talking_ends(place: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    said = sh(place, "yes | head -c 20000000; echo end >&2; exit 3")
    assert said.status == 3
    assert 0 < len(said.text) <= cell.LARGEST
    monkeypatch.setattr(room, "PATIENCE", 2)
    begin = time.monotonic()
    assert sh(place, "trap '' TERM INT HUP; sleep 600").status == cell.LATE
    assert sh(place, "yes").status == cell.LATE
    assert time.monotonic() - begin < 30


def test_it_ends_with_the_process_that_asked(place: Room) -> None:
    seconds = own_time()
    script = (
        f"from pathlib import Path\nfrom packaging_tool.authors.room import Room\n"
        f"Room(Path({str(place.directory)!r}), Path({str(place.directory)!r})).run('sleep', {seconds!r})"
    )
    with subprocess.Popen([sys.executable, "-c", script]) as asking:
        end = time.monotonic() + 60
        while not sleeping(seconds) and time.monotonic() < end:
            time.sleep(0.05)
        assert sleeping(seconds)
        asking.kill()
    end = time.monotonic() + 10
    while sleeping(seconds) and time.monotonic() < end:
        time.sleep(0.05)
    assert not sleeping(seconds)


# ---- another caller than root

AS_ANN = """\
set -e
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/subid" /etc/subuid
mount --bind "$1/subid" /etc/subgid
shift
exec setpriv --reuid 54321 --regid 54321 --clear-groups /usr/bin/python3 -I "$@"
"""


def test_a_room_of_a_user_has_users_that_are_neither_root_nor_that_user(place: Room, cache: Path) -> None:
    for program in ("newuidmap", "/usr/bin/python3"):
        if shutil.which(program) is None:
            pytest.skip(f"{NOT_SHOWN}it needs {program}")
    # Where every user can walk to.
    with tempfile.TemporaryDirectory(prefix="mkpkgs-test-", dir="/var/tmp") as named:
        directory = Path(named)
        directory.chmod(0o755)
        home = directory / "home"
        home.mkdir(mode=0o700)
        (directory / "passwd").write_text(Path("/etc/passwd").read_text() + f"ann:x:54321:54321::{home}:/bin/sh\n")
        (directory / "subid").write_text("ann:700000:65536\n")
        shutil.copy(cell.__file__, directory / "cell.py")
        (directory / "cell.py").chmod(0o644)
        shutil.copy(next(cache.glob("debian12-*.tar")), home / "root.tar")
        for path in (home, home / "root.tar"):
            os.chown(path, 54321, 54321)
        root = str(home / "root")

        def ask(what: str, *argv: str, **more: object) -> Said:
            order = {"what": what, "root": root, "words": argv, "environment": room.INSIDE, **more}
            words = ["unshare", "--mount", "sh", "-c", AS_ANN, "sh", named, f"{named}/cell.py"]
            done = subprocess.run(words, input=json.dumps(order).encode(), capture_output=True)
            return Said(done.returncode, (done.stdout + done.stderr).decode())

        unpack = f"mkdir .{INBOX}; exec tar --extract --numeric-owner --exclude='./dev/*'"
        assert ask("outside", "sh", "-ec", unpack, source=f"{home}/root.tar") == Said(0, "")
        said = ask("inside", "sh", "-c", "touch /mine; id -u; cat /proc/1/environ", seconds=60)
        assert said.text.startswith("0\n")
        assert "Permission denied" in said.text
        assert (home / "root/mine").stat().st_uid == 700000
        assert ask("remove") == Said(0, "")
        assert [path.name for path in home.iterdir()] == ["root.tar"]
