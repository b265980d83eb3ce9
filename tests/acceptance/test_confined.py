"""A plugin with a good signature that means ill: its try lets it reach nothing, and keeps nothing of it."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import roots
from tests.machine import lines
from tests.systems import Apt, Debian13Apt, System
from tests.tiers import at_night
from tests.workspace import Workspace, newest

pytestmark = pytest.mark.acceptance

DESK = Path(__file__).parent.parent / "samples/desk"
SETTINGS = '\n[core.service.unit]\nBindPaths = "/srv/data"\nRuntimeDirectory = "desk"\nCacheDirectory = "desk"\n'
# It looks at its parent to know whether this is a try. What it can do there that it must not, it answers, and so the
# server says it.
EVIL = r"""#!/usr/bin/perl
use strict;
use warnings;
use Socket;
use POSIX ();
$| = 1;
my @broke;

sub attack {
    push @broke, 'terminal' if open my $terminal, '+<', '/dev/tty';
    for my $place (qw(/run/lock /run /etc /usr/lib/desk/bin)) {
        push @broke, $place if open my $file, '>', "$place/evil";
    }
    # In the place of these it has directories of its own.
    for my $place (qw(/srv/data /var/lib/desk /var/cache/desk /run/desk /tmp /var/tmp /dev/shm)) {
        if (open my $file, '>', "$place/evil") { print $file "i was here\n" }
        elsif (-d $place) { push @broke, "no $place" }
        chmod 0777, $place;
    }
    for my $socket (qw(/run/dbus/system_bus_socket /run/systemd/journal/socket /run/systemd/journal/stdout /dev/log
        /run/systemd/notify /run/systemd/private /run/systemd/userdb/io.systemd.Multiplexer /run/machine.sock)) {
        for my $kind (SOCK_STREAM, SOCK_DGRAM) {
            socket my $handle, PF_UNIX, $kind, 0 or next;
            push @broke, $socket if connect $handle, sockaddr_un($socket);
        }
    }
    if (fork == 0) {
        POSIX::setsid();
        $SIG{$_} = 'IGNORE' for qw(TERM HUP INT);
        exit if fork;
        exec 'sleep', '4251';
    }
    # What was there before and has not begun it is somebody else's, what serves above all.
    my %parents = parents();
    for my $number (numbers()) {
        push @broke, "process $number" if $number < getppid && !$parents{$number} && kill 0, $number;
    }
    sleep 1;
}

# It ends whatever it can, when it serves: a new set must be made and tried nevertheless.
sub defend {
    my ($own, $root) = ($$, root('self'));
    return if fork;
    while (getppid == $own) {
        # Where machines share process numbers and those of users, others' are none of its business.
        kill 'KILL', grep { $_ > $$ && root($_) eq $root } numbers();
        select undef, undef, undef, 0.01;
    }
    exit;
}

sub root {
    my $number = shift;
    my ($device, $inode) = stat "/proc/$number/root/" or return '';
    return "$device $inode";
}

sub numbers {
    opendir my $processes, '/proc' or return;
    return grep { /^[0-9]+$/ } readdir $processes;
}

sub parents {
    my ($number, %found) = (getppid);
    while ($number) {
        $found{$number} = 1;
        open my $file, '<', "/proc/$number/stat" or last;
        $number = <$file> =~ /\) . ([0-9]+)/ ? $1 : 0;
    }
    return %found;
}

my $parent = '';
if (open my $file, '<', '/proc/' . getppid . '/cmdline') { $parent = <$file> // '' }
if ($parent =~ /--check/) { attack() } else { defend() }
<STDIN>;
print @broke ? "could: @broke\n" : "ready 2\n";
print "evil\n" while <STDIN>;
"""
# Writes until nothing more can be written.
GLUTTON = r"""#!/usr/bin/perl
use strict;
$| = 1;
my ($parent, $piece) = ('', 'x' x 1048576);
if (open my $file, '<', '/proc/' . getppid . '/cmdline') { $parent = <$file> }
if ($parent =~ /--check/) {
    for my $number (1 .. 100) {
        open my $file, '>', "/var/lib/desk/$number" or last;
        for (1 .. 31) { syswrite($file, $piece) or die "no more\n" }
    }
}
<STDIN>;
print "ready 2\n";
print "glutton\n" while <STDIN>;
"""
# A local user who waits for a directory to be left open, and for what is told to others.
VISITOR = """
work=/usr/lib/desk/bin/.apply.new
while :; do
    for file in /dev/shm/*/*/evil /dev/shm/evil $work/*/*/evil $work/output; do
        if [ -e "$file" ]; then cat "$file" && echo "$file"; fi
    done
    sleep 0.05
done
"""


@pytest.fixture(scope="session")
def desk(shared: Path) -> Workspace:
    """The sample with more places to write, and with plugins that mean ill."""
    place = shared / "confined"
    with roots.once(place) as missing:
        if missing:
            project = Workspace.create(DESK, place)
            file = project.root / "mkpkgs.toml"
            tables = "".join(
                f'\n[plugin.{name}]\nsummary = "Means ill"\nexec = {{ files = "plugins/{name}" }}\n'
                for name in ("evil", "glutton")
            )
            file.write_text(file.read_text().replace('check = "--check"\n', f'check = "--check"\n{SETTINGS}') + tables)
            for name, text in (("evil", EVIL), ("glutton", GLUTTON)):
                (project.root / f"plugins/{name}").mkdir()
                (project.root / f"plugins/{name}/desk-{name}").write_text(text)
                (project.root / f"plugins/{name}/desk-{name}").chmod(0o755)
            project.mkpkgs()
    return Workspace.at(place)


@pytest.fixture(params=[Apt, at_night(Debian13Apt)], ids=["debian12", "debian13"])
def system(request: pytest.FixtureRequest, bootable: None, desk: Workspace, tmp_path: Path) -> Iterator[System]:
    kind: type[System] = request.param
    with kind(desk.dist, tmp_path / "machine", "desk") as system:
        system.use()
        prepare(system)
        yield system


def prepare(system: System) -> None:
    system.sh("mkdir -p /srv/data && chmod 0777 /srv/data")
    system.install("desk", *system.plugin("echo"))


def on_terminal(system: System, command: str, *before: str) -> str:
    """Run a command as root at a terminal does."""
    return system.run(*before, "script", "-qec", command, "/dev/null", check=False).stdout.replace("\r\n", "\n")


def left(system: System) -> list[str]:
    """Files and processes that an evil plugin has left."""
    places = "/run /srv /var/lib/desk /var/cache /tmp /var/tmp /dev/shm /etc /usr/lib/desk"
    files = system.sh(f"find {places} -name '*evil' ! -path '*/plugins/*' ! -path '*/manifests/*' || :")
    shm = system.sh("find /dev/shm -name 'desk-plugins*'")
    return [*lines(files), *lines(shm), *processes(system)]


def processes(system: System) -> list[str]:
    return lines(system.sh("grep -lax 'sleep.4251.' /proc/[0-9]*/cmdline 2>/dev/null || :"))


def package(desk: Workspace, system: System, name: str) -> str:
    path = newest(desk.dist, f"desk-plugin-{name}", "deb")
    system.put(path, f"/root/{path.name}")
    return f"/root/{path.name}"


def test_a_booted_machine(system: System, desk: Workspace) -> None:
    listen = (
        "perl -MSocket -e 'socket S, PF_UNIX, SOCK_STREAM, 0; bind S, sockaddr_un(q(/run/machine.sock)); listen S, 9;"
        " chmod 0777, q(/run/machine.sock); exit if fork; sleep 600' >/dev/null 2>&1"
    )
    system.sh(listen)
    assert left(system) == []
    visitor = f"setpriv --reuid 65534 --regid 65534 --clear-groups sh -c '{VISITOR}' >/root/seen 2>/dev/null &"
    system.sh(visitor)

    begun = time.monotonic()
    said = on_terminal(system, f"dpkg -i {package(desk, system, 'evil')}")
    took = time.monotonic() - begun
    assert "desk-plugins: verified and put into desk: echo 1.0-1, evil 1.0-1; restarted desk.service" in said
    assert left(system) == []
    # The check of this server is silent, so that the core was tried without plugins, too. Each try took a second.
    assert took < 20

    said = on_terminal(system, "desk-plugins disable echo")
    assert "verified and put into desk: evil 1.0-1" in said
    assert left(system) == []
    assert system.sh("cat /root/seen") == ""

    said = on_terminal(system, f"dpkg -i {package(desk, system, 'glutton')}")
    assert "the old set goes on serving: desk with evil 1.0-1" in said
    assert left(system) == []
    told(system)
    assert "failed" not in system.sh("systemctl list-units --all --no-legend 'desk-try*' 'desk-make*'")
    as_made(system)


def told(system: System) -> None:
    """What a local user is told of a failed apply, and what not."""
    visitor = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
    done = system.run(*visitor, "desk-plugins", "status", check=False)
    assert done.returncode == 1
    assert "the last apply failed, and this user may not read why" in done.stdout
    assert "has ended" not in done.stdout
    assert "Permission" not in done.stdout
    assert re.search("evil +1.0-1", system.run(*visitor, "desk-plugins", "list").stdout)
    for path in ("bin/failed-set", "bin/serving/plugins", "bin/serving/loader"):
        assert system.run(*visitor, "ls", f"/usr/lib/desk/{path}/.", check=False).returncode != 0
    assert system.run(*visitor, "cat", "/usr/lib/desk/bin/failed-set", check=False).returncode != 0
    assert system.run(*visitor, "cat", "/run/desk-plugins.failed", check=False).returncode != 0
    assert "has ended" in system.run("desk-plugins", "status", check=False).stdout


def as_made(system: System) -> None:
    """The step of the driver is not root, and what it leaves is root's."""
    system.sh("apt-get -qy purge desk-plugin-glutton")
    text = system.sh("cat /usr/lib/desk/arrange")
    system.write(
        "/usr/lib/desk/arrange",
        f"{text}{{ id -un; grep CapBnd /proc/self/status; touch /run/lock/evil /var/lib/desk/evil || :\n"
        'ls /usr/lib/desk/bin/.apply.new; ls /run; (: </dev/tty) || echo no terminal; } >"$set/loader/who" 2>&1\n',
        0o755,
    )
    # As after unattended-upgrades: apply has a sandbox of its own there.
    system.sh("systemctl start desk-apply-later@0.service")
    assert "verified: what is installed is what serves" in system.run("desk-plugins", "status").stdout
    who = lines(system.sh("cat /usr/lib/desk/bin/serving/loader/who"))
    assert who[:2] == ["_desk-try", "CapBnd:\t0000000000000000"]
    assert who[-1] == "no terminal"
    assert (
        {"room", "step"}
        <= set(who)
        <= {
            *who[:2],
            *who[-2:],
            "room",
            "step",
            "plugins",
            "systemd",
            "host",
            "log",
            "credentials",
            "resolve",
            *(line for line in who if line.startswith("touch: ")),
        }
    )
    assert sum(line.startswith("touch: cannot touch") for line in who) == 2
    assert left(system) == []
    assert lines(system.sh("find /usr/lib/desk/bin/sets ! -user root")) == []
    assert lines(system.sh("find /usr/lib/desk/bin/sets -path '*/loader*' -perm /022")) == []


@contextmanager
def as_service(system: System) -> Iterator[subprocess.Popen[bytes]]:
    """The service runs, as other tools than systemd start it."""
    user = ("setpriv", "--reuid", "desk", "--clear-groups", "--regid", "desk")
    # Another test may serve at the same port.
    alone = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
    serving = subprocess.Popen([*alone, *system._into(), *user, "desk", "--serve"], stdout=subprocess.PIPE)
    assert serving.stdout is not None
    try:
        # It says a line when its plugins are open.
        serving.stdout.readline()
        yield serving
    finally:
        serving.kill()
        serving.communicate()


CONTAINERS = {
    "privileged": (),
    "plain": ("setpriv", "--bounding-set", "-sys_admin,-net_admin,-setpcap"),
}


@pytest.mark.parametrize("limits", CONTAINERS.values(), ids=CONTAINERS)
def test_a_container(limits: tuple[str, ...], desk: Workspace, tmp_path: Path) -> None:
    with Apt(desk.dist, tmp_path / "machine", "desk", boot=False) as system:
        system.use()
        prepare(system)
        with as_service(system) as serving:
            said = on_terminal(system, f"dpkg -i {package(desk, system, 'evil')}", *limits)
            assert "desk-plugins: verified and put into desk: echo 1.0-1, evil 1.0-1" in said
            if not limits:
                # The other container has no places of its own for it to write in.
                assert left(system) == []
            assert processes(system) == []
            assert serving.poll() is None
            # Its code would have run in the place of the set that serves, so it did not run at all.
            assert ("so desk was not tried with echo, evil" in said) == bool(limits)
        # Now it serves itself.
        with as_service(system) as serving:
            assert "verified and put into desk: echo 1.0-1" in on_terminal(system, "desk-plugins disable evil", *limits)
            assert serving.poll() is None
        # A chroot has the devices of this machine.
        Path("/dev/shm/evil").unlink(missing_ok=True)  # noqa: S108 # it is to be gone
