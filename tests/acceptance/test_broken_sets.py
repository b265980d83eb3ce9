"""A plugin that breaks on its upgrade: the last working set goes on serving, and nothing is ever served without it.

The server has one plugin, `auth`, that asks for a password. While apt and dnf bring a broken one, requests without a
password come all the time: each must be turned away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import roots
from tests.systems import Apt, Dnf, System
from tests.tiers import at_night
from tests.workspace import Workspace

pytestmark = pytest.mark.acceptance

SAMPLE = Path(__file__).parent.parent / "samples/web-gate"
MakeMachine = Callable[[Workspace, str], System]
Gates = Callable[[str], Workspace]

# What the new plugin does in its init on the target, where the build's own test cannot see it; what apply says of it.
BREAKS: Mapping[str, tuple[str, str]] = {
    "crash": ('panic("auth is broken")', "ended with status 2 when it was tried: panic: auth is broken"),
    "exit": ("os.Exit(0)", "ended without a word when it was tried"),
    "hang": ("for {\n\t\t}", "did not end within 3 seconds when it was tried"),
    # It passes the try, and ends the service a moment after systemd has called it started.
    "dies": ("go die()", "gate.service does not start with auth"),
    "greedy": ("greed()", "when it was tried: "),
    "renamed": (
        'delete(gate.Guards, "auth")',
        "when the configuration was checked: gate.conf: there is no plugin auth",
    ),
}
# Each line is a way out of the sandbox; the first that is open ends the try with its name.
NOSY = """
func init() {
	if _, err := os.Stat("/etc/gate/gate.conf"); err != nil || len(os.Args) != 2 || os.Args[1] != "version" {
		return
	}
	must := func(what string, fits bool) {
		if !fits {
			fmt.Fprintln(os.Stderr, "open: "+what)
			os.Exit(1)
		}
	}
	own, _ := user.Current()
	must("it is "+own.Username, own.Username == "_gate-try")
	must("HOME="+os.Getenv("HOME"), os.Getenv("HOME") == "/var/lib/gate")
	links, _ := net.Interfaces()
	must("network", len(links) == 1)
	_, err := net.Dial("tcp", "127.0.0.1:8080")
	must("the server's port", err != nil)
	status, _ := os.ReadFile("/proc/self/status")
	must("capabilities", strings.Contains(string(status), "CapEff:\\t0000000000000000"))
	must("capabilities to gain", strings.Contains(string(status), "CapBnd:\\t0000000000000000"))
	must("new privileges", strings.Contains(string(status), "NoNewPrivs:\\t1"))
	for _, place := range []string{"/usr/lib/gate/bin/x", "/usr/lib/gate/bin/serving/x", "/etc/x", "/srv/x", "/run/x"} {
		must("writes "+place, os.WriteFile(place, nil, 0o600) != nil)
	}
	for _, place := range []string{"/var/lib/gate/x", "/tmp/x", "/var/tmp/x"} {
		must("cannot write "+place, os.WriteFile(place, nil, 0o600) == nil)
	}
	os.WriteFile("/dev/shm/x", nil, 0o600)
	_, err = os.ReadDir("/home/somebody")
	must("homes", err != nil)
	target, _ := os.Readlink("/proc/self/exe")
	same, _ := os.Stat("/usr/bin/gate")
	own2, _ := os.Stat(target)
	must("another program", os.SameFile(same, own2))
}
"""
DEATH = """
func die() {
	if len(os.Args) == 2 && os.Args[1] == "serve" {
		time.Sleep(300 * time.Millisecond)
		os.Exit(3)
	}
}
"""
GREED = """
var taken [][]byte

func greed() {
	for range 4 {
		taken = append(taken, bytes.Repeat([]byte{1}, 1<<30))
	}
}
"""


@pytest.fixture(scope="session")
def gates(shared: Path) -> Gates:
    """Builds a server, `good`, or what came after it, when it is asked for."""
    place = shared / "gates"
    place.mkdir(exist_ok=True)

    def built(name: str) -> Workspace:
        with roots.once(place / name) as missing:
            if missing and name == "good":
                Workspace.create(SAMPLE, place / name).quick().mkpkgs()
            elif missing:
                break_by(name, built("good").copy(place / name))
        return Workspace.at(place / name)

    return built


def break_by(name: str, project: Workspace) -> None:
    """Give the project a newer plugin that breaks the server in one of the ways BREAKS; `nosy` only looks around.

    spare: core and plugin are newer, and the plugin crashes, but is optional.
    """
    if name == "nosy":
        rebuild(project, "", NOSY, ("fmt", "net", "os", "os/user", "strings"))
        return
    if name == "spare":
        manifest = project.root / "mkpkgs.toml"
        text = manifest.read_text().replace('name = "gate"\nversion = "1.0"', 'name = "gate"\nversion = "1.1"')
        manifest.write_text(text.replace("[plugin.auth]\n", "[plugin.auth]\noptional = true\n"))
        name = "crash"
    more, imports = {"greedy": (GREED, ("bytes",)), "dies": (DEATH, ("time",))}.get(name, ("", ()))
    code = f'\tif _, err := os.Stat("/etc/gate/gate.conf"); err == nil {{\n\t\t{BREAKS[name][0]}\n\t}}\n'
    rebuild(project, code, more, ("os", *imports))


def rebuild(project: Workspace, code: str, more: str, imports: tuple[str, ...]) -> None:
    """Give the plugin another init and a higher version."""
    source = project.root / "auth/auth.go"
    text = (
        source.read_text().replace("func init() {\n", f"{more}\nfunc init() {{\n").replace("\t}\n}", f"\t}}\n{code}}}")
    )
    lines = "".join(f'\t"{name}"\n' for name in sorted(imports))
    source.write_text(text.replace("import (\n", f"import (\n{lines}"))
    manifest = project.root / "mkpkgs.toml"
    manifest.write_text(manifest.read_text().replace('password"\nversion = "1.0"', 'password"\nversion = "1.1"'))
    project.mkpkgs()


@pytest.fixture
def gate(machine: MakeMachine, gates: Gates) -> System:
    """A machine whose server asks for a password, as its configuration demands."""
    system = machine(gates("good"), "gate")
    system.write("/etc/systemd/system/gate-try.service.d/short.conf", "[Service]\nTimeoutStartSec=3s\n")
    system.install("gate", "gate-plugin-auth")
    system.write("/etc/gate/gate.conf", "auth\n")
    system.run("systemctl", "restart", "gate")
    assert ask(system) == "401"
    assert ask(system, "open sesame") == "200"
    return system


def ask(system: System, password: str = "") -> str:
    """The status of an answer."""
    retry = ("--retry", "20", "--retry-connrefused", "--retry-delay", "1")
    who = ("-u", f"somebody:{password}") if password else ()
    return system.run("curl", "-so", "/dev/null", "-w", "%{http_code}", *retry, *who, "http://127.0.0.1:8080/").stdout


@contextmanager
def nobody_gets_in(system: System) -> Iterator[None]:
    """Asks without a password all the time; in the end every answer must have been a refusal."""
    # Each over a connection of its own; one process for all, else they would take most of the machine.
    knock = "curl -s --rate 50/s -H 'Connection: close' -o /dev/null -w '%{stderr}%{http_code}\\n'"
    system.run(
        *("systemd-run", "--quiet", "--unit=knock", "sh", "-c"),
        f"exec {knock} 'http://127.0.0.1:8080/?[1-1000000]' 2>/run/codes",
    )
    yield
    system.run("systemctl", "stop", "knock")
    codes = system.sh("cat /run/codes").split()
    assert set(codes) <= {"401", "000"}, f"{codes.count('200')} of {len(codes)} got in"
    assert codes.count("401") > 5


# What apply does does not depend on who called it, so one way through dnf is enough.
@pytest.mark.parametrize(
    ("kind", "broken"),
    [
        (Apt, "dies"),
        # What does not pass its try is shown by day by test_every_driver, and by the optional plugin below.
        *(at_night(Apt, name) for name in ("crash", "exit", "greedy", "hang", "renamed")),
        at_night(Dnf, "crash"),
    ],
)
def test_an_auth_plugin_that_breaks_on_upgrade_lets_nobody_in(gate: System, gates: Gates, broken: str) -> None:
    with nobody_gets_in(gate):
        gate.use(gates(broken).dist)
        starts = gate.starts()
        done = gate.upgrade()
        assert done.returncode == 0
        assert gate.installed()["gate-plugin-auth"].startswith("1.1")
        assert BREAKS[broken][1] in done.stdout
        assert "the old set goes on serving: gate with auth" in done.stdout
        # Only what passes its try is started at all.
        assert gate.starts() - starts == (2 if broken == "dies" else 0)
    assert ask(gate, "open sesame") == "200"
    assert gate.run("gate-plugins", "status", check=False).returncode == 1
    assert "gate-apply.service" in gate.run("systemctl", "--failed", "--plain", "--no-legend").stdout
    # Nor after the machine has started anew.
    gate.stop()
    gate.start()
    with nobody_gets_in(gate):
        assert ask(gate) == "401"
        gate.sh("sleep 1")
    assert ask(gate, "open sesame") == "200"


@pytest.mark.parametrize("kind", [Apt])
def test_an_optional_plugin_that_breaks_on_upgrade_does_not_keep_the_core_back(gate: System, gates: Gates) -> None:
    """Its maintainer said that the server may go without it, and the configuration does not ask for it."""
    gate.write("/etc/gate/gate.conf", "")
    gate.use(gates("spare").dist)
    done = gate.upgrade()
    assert done.returncode == 0
    assert "plugin auth: gate with auth ended with status 2 when it was tried: panic: auth is broken" in done.stdout
    assert "left out: the optional plugin auth" in done.stdout
    assert gate.installed()["gate"].startswith("1.1")
    assert "core 1.1" in gate.sh("cat /usr/lib/gate/bin/working-set")
    assert ask(gate) == "200"
    status = gate.run("gate-plugins", "status", check=False)
    assert status.returncode == 1
    assert "panic: auth is broken" in status.stdout
    # A restart of the machine changes nothing of it.
    gate.stop()
    gate.start()
    assert ask(gate) == "200"


@pytest.mark.parametrize("kind", [Apt])
def test_what_is_tried_has_the_services_sandbox_and_leaves_nothing(gate: System, gates: Gates) -> None:
    gate.sh("mkdir -p /home/somebody; touch /run/mark; sleep 0.1")
    gate.use(gates("nosy").dist)
    done = gate.upgrade()
    assert "open: " not in done.stdout
    assert gate.run("gate-plugins", "status").returncode == 0
    places = "/var/lib/gate /dev/shm /var/log/gate /etc/gate /usr/lib/gate /home"
    found = gate.sh(f"find {places} -newer /run/mark ! -type d 2>/dev/null || :").split()
    kept = ("/usr/lib/gate/plugins/", "/usr/lib/gate/bin/", "/var/lib/gate/checked")
    assert [path for path in found if not path.startswith(kept)] == []
    assert "/var/lib/gate/x" not in found


@pytest.mark.parametrize("kind", [Apt])
def test_configuration_that_the_service_alone_may_read_is_checked(gate: System) -> None:
    gate.sh("chown -R gate:gate /etc/gate/gate.conf; chmod 0600 /etc/gate/gate.conf; touch /etc/gate/other")
    gate.sh("mkdir -m 0700 /etc/gate/own; chown gate:gate /etc/gate/own; mkfifo /etc/gate/own/pipe")
    done = gate.run("gate-plugins", "disable", "auth", check=False)
    assert "when the configuration was checked: gate.conf: there is no plugin auth" in done.stdout
    assert gate.sh("stat -c %a:%U /etc/gate/gate.conf") == "600:gate\n"
    assert gate.run("gate-plugins", "enable", "auth").returncode == 0
    assert gate.run("gate-plugins", "status").returncode == 0

    # What an administrator lets the service read by a group of its own.
    gate.sh(
        "groupadd keys; usermod -a -G keys gate; chown root:keys /etc/gate/gate.conf; chmod 0640 /etc/gate/gate.conf"
    )
    done = gate.run("gate-plugins", "disable", "auth", check=False)
    assert "when the configuration was checked: gate.conf: there is no plugin auth" in done.stdout
    assert "keys" in gate.sh("id -Gn _gate-try").split()
    # An apply that is killed leaves a try behind, and the package takes it along.
    gate.sh("mkdir /dev/shm/gate-plugins.abcdefgh")
    gate.write("/run/systemd/system/gate-try.service.d/long.conf", "[Service]\nExecStart=\nExecStart=/bin/sleep 25\n")
    gate.sh("systemctl daemon-reload; systemctl start --no-block gate-try; apt-get -qy purge gate gate-plugin-auth")
    assert gate.sh("systemctl is-active gate-try || :") != "active\n"
    assert gate.sh("ls -d /dev/shm/gate* 2>/dev/null || :") == ""
    # What people put there stays.
    assert set(gate.sh("ls /etc/gate").split()) <= {"gate.conf", "other", "own"}


@pytest.mark.parametrize("kind", [Apt])
def test_events_have_identifiers_in_the_journal_of_the_service(gate: System, gates: Gates) -> None:
    from packaging_tool.target.runtime import EVENTS

    gate.use(gates("crash").dist)
    gate.upgrade()
    gate.run("journalctl", "--sync")
    for event, word in (("applied", "verified and put into gate: auth"), ("failed", "the old set goes on serving")):
        found = gate.run("journalctl", "-u", "gate", f"MESSAGE_ID={EVENTS[event]}", "-o", "cat").stdout
        assert word in found
