"""How the service gets a new set: policy, needrestart, unattended-upgrades, small and closed machines."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from packaging_tool.drivers.base import Target
from tests import roots
from tests.acceptance.test_boot import reboot, shown_as_failed
from tests.machine import Machine
from tests.systems import Apt
from tests.target import packages
from tests.target.machine import Key
from tests.target.server import PLUGINS, Server
from tests.tiers import at_night
from tests.workspace import Workspace

pytestmark = pytest.mark.acceptance

RELOADS = {"ExecReload": '/bin/sh -c "kill -HUP $MAINPID"'}


@pytest.fixture
def debian(bootable: None, tmp_path: Path) -> Iterator[Server]:
    with Machine(roots.root("debian12-upgrades"), tmp_path / "root") as machine:
        yield Server(machine, Key(tmp_path, "trusted"), tmp_path / "packages", "deb")


def policy(server: Server, value: str) -> None:
    server.machine.write("/etc/demo/plugins.conf", f"restart = {value}\n")


def said_by_status(server: Server) -> str:
    return server.machine.run("demo-plugins", "status", check=False).stdout


def test_defer_leaves_the_restart_to_people(server: Server) -> None:
    built = server.build(plugins=PLUGINS)
    server.install(built["demo"], built["demo-plugin-git"])
    policy(server, "defer")
    said = server.install(built["demo-plugin-cors"])
    assert "demo.service goes on with the old set as restart = defer asks: systemctl restart demo.service" in said
    assert server.starts() == ["1.0 with: git"]
    assert server.status() == 1
    assert "demo.service still runs the old set" in said_by_status(server)
    assert "systemctl restart demo.service" in said_by_status(server)
    made = server.machine.sh("readlink /usr/lib/demo/bin/serving")
    assert server.machine.run("demo-plugins", "apply", "--quiet").stdout == ""
    assert server.machine.sh("readlink /usr/lib/demo/bin/serving") == made, "what waits is not made again"
    server.machine.run("systemctl", "restart", "demo")
    assert server.starts()[1:] == ["1.0 with: cors git"]
    assert server.status() == 0
    # Back to auto, what is due is done.
    server.install(*server.build(version="1.1", plugins=PLUGINS).values())
    policy(server, "auto")
    assert "restarted demo.service" in server.machine.run("demo-plugins", "apply").stdout
    assert server.starts()[2:] == ["1.1 with: cors git"]


def test_a_reboot_serves_what_was_deferred(server: Server) -> None:
    built = server.build(plugins=PLUGINS)
    server.install(built["demo"], built["demo-plugin-git"])
    policy(server, "defer")
    server.install(built["demo-plugin-cors"])
    reboot(server)
    assert server.starts()[1:] == ["1.0 with: cors git"]
    assert server.status() == 0


def test_a_deferred_set_that_does_not_start_gives_way_to_the_one_that_served(server: Server) -> None:
    bad = 'if [ "$1" = run ]; then echo no luck; exit 1; fi\n'
    built = server.build(plugins={**PLUGINS, "bad": bad})
    server.install(built["demo"], built["demo-plugin-git"])
    policy(server, "defer")
    server.install(built["demo-plugin-cors"])
    server.install(built["demo-plugin-bad"])
    policy(server, "auto")
    done = server.machine.run("demo-plugins", "apply", check=False)
    assert done.returncode == 1
    assert "demo.service does not start with bad, cors, git" in done.stdout
    assert server.starts()[-1] == "1.0 with: git"
    assert server.state() == "active"


def test_reload_is_used_where_the_program_stays_the_same(server: Server) -> None:
    program = packages.TREE.encode()
    built = server.build(plugins=PLUGINS, unit=RELOADS, program=program, target=Target(tree=True))
    server.install(built["demo"], built["demo-plugin-git"])
    policy(server, "reload")
    assert "; reloaded demo.service" in server.install(built["demo-plugin-cors"])
    assert "RELOADED with: cors git" in server.journal("-u", "demo")
    assert server.starts() == ["1.0 with: git"]
    assert server.status() == 0
    # A process cannot become another program, nor get another unit's settings.
    newer = server.build(version="1.1", plugins=PLUGINS, unit=RELOADS, program=program, target=Target(tree=True))
    assert "restarted demo.service, since a reload cannot bring it" in server.install(*newer.values())
    assert server.starts()[1:] == ["1.1 with: cors git"]
    other = {**RELOADS, "LimitNOFILE": "4096"}
    other_unit = server.build(version="1.1", plugins=PLUGINS, unit=other, program=program, target=Target(tree=True))
    assert "restarted demo.service, since a reload cannot bring it" in server.install(other_unit["demo"])


def test_a_server_that_is_not_ours_to_restart_takes_plugins_at_its_next_start(server: Server) -> None:
    target = Target(tree=True, restarts=False)
    built = server.build(plugins=PLUGINS, unit=RELOADS, program=packages.TREE.encode(), target=target)
    server.install(built["demo"], built["demo-plugin-git"])
    assert "; demo.service takes them at its next start" in server.install(built["demo-plugin-cors"])
    assert server.starts() == ["1.0 with: git"]
    assert "RELOADED" not in server.journal("-u", "demo")
    server.machine.run("systemctl", "restart", "demo")
    assert server.starts()[1:] == ["1.0 with: cors git"]
    assert server.status() == 0


def test_a_reload_that_fails_brings_the_old_set_back(server: Server) -> None:
    unit = {"ExecReload": "/bin/sh -c '[ ! -e /usr/lib/demo/bin/serving/plugins/cors ]'"}
    built = server.build(plugins=PLUGINS, unit=unit, program=packages.TREE.encode(), target=Target(tree=True))
    server.install(built["demo"], built["demo-plugin-git"])
    policy(server, "reload")
    said = server.install(built["demo-plugin-cors"])
    assert "the old set goes on serving: demo with git 1.0-1" in said
    assert server.machine.sh("ls /usr/lib/demo/bin/serving/plugins") == "git\n"
    assert server.status() == 1
    assert server.state() == "active"


def test_reload_restarts_a_server_that_cannot_reload(server: Server) -> None:
    built = server.build(plugins=PLUGINS)
    server.install(built["demo"], built["demo-plugin-git"])
    policy(server, "reload")
    assert "restarted demo.service, since a reload cannot bring it" in server.install(built["demo-plugin-cors"])
    assert server.starts()[1:] == ["1.0 with: cors git"]


def test_a_command_restarts_it(server: Server) -> None:
    built = server.build(plugins=PLUGINS)
    server.install(built["demo"], built["demo-plugin-git"])
    script = '#!/bin/sh\nenv | sort >/root/environment\nsystemctl restart "$UNIT"\n'
    server.machine.write("/usr/local/sbin/drain", script, 0o755)
    policy(server, "/usr/local/sbin/drain")
    assert "; /usr/local/sbin/drain was run" in server.install(built["demo-plugin-cors"])
    assert server.starts()[1:] == ["1.0 with: cors git"]
    assert server.status() == 0
    shown = server.machine.sh("cat /root/environment")
    assert "UNIT=demo.service\n" in shown
    assert "CORE=demo\n" in shown
    assert sorted(re.findall(r"^(\w+)=", shown, re.MULTILINE)) == [
        "CORE",
        "LC_ALL",
        "NEW",
        "OLD",
        "PATH",
        "PWD",
        "UNIT",
        "UNITS",
    ]
    # A service that people stopped stays so.
    server.machine.sh("systemctl stop demo; rm /root/environment")
    server.install(*server.build(version="1.1", plugins=PLUGINS).values())
    assert not server.machine.path("/root/environment").exists()


def test_a_command_that_fails_or_does_nothing_is_told(server: Server) -> None:
    built = server.build(plugins=PLUGINS)
    server.install(built["demo"], built["demo-plugin-git"])
    server.machine.write("/usr/local/sbin/drain", "#!/bin/sh\necho the balancer is away >&2\nexit 7\n", 0o755)
    policy(server, "/usr/local/sbin/drain")
    said = server.install(built["demo-plugin-cors"])
    assert "/usr/local/sbin/drain ended with status 7: the balancer is away" in said
    assert "demo-apply.service" in shown_as_failed(server)
    assert "demo.service still runs the old set" in said_by_status(server)
    server.machine.write("/usr/local/sbin/drain", "#!/bin/sh\n", 0o755)
    assert "demo.service still runs the old set" in server.machine.run("demo-plugins", "apply").stdout
    assert shown_as_failed(server) == ""
    assert server.status() == 1
    server.machine.run("systemctl", "restart", "demo")
    assert server.status() == 0


# A plugin with which the server is well until it serves.
DIES = 'if [ "$1" = run ]; then exit 3; fi\n'


@pytest.mark.parametrize(
    ("way", "kind"),
    [
        ("auto", "exec"),
        *(at_night("/usr/local/sbin/drain", kind) for kind in ("exec", "notify")),
        at_night("auto", "notify"),
    ],
)
def test_a_set_that_dies_as_a_service_is_put_back_by_every_policy(server: Server, kind: str, way: str) -> None:
    """systemd starts it once more each second, so that it is seldom called failed."""
    built = server.build(plugins={**PLUGINS, "dies": DIES}, unit={"Type": kind})
    server.install(built["demo"], built["demo-plugin-git"])
    server.machine.write("/usr/local/sbin/drain", '#!/bin/sh\nexec systemctl restart "$UNIT"\n', 0o755)
    policy(server, way)
    for _ in range(3):
        said = server.install(built["demo-plugin-dies"])
        assert "put back the old set of demo" in said
        assert "the old set goes on serving: demo with git 1.0-1" in said
        assert server.state() == "active"
        assert server.starts()[-1] == "1.0 with: git"
        assert server.status() == 1
        # What did not stay up is not tried again by a repair, nor called well.
        starts = len(server.starts())
        repaired = server.machine.run("demo-plugins", "doctor", check=False)
        assert (repaired.returncode, len(server.starts())) == (1, starts), repaired.stdout
        server.remove("demo-plugin-dies")
        assert server.status() == 0


def test_nobody_is_told_that_the_old_set_serves_when_nothing_does(server: Server) -> None:
    """Somebody broke the configuration meanwhile; the next plugin is not the reason."""
    broken = '#!/bin/sh\nif [ "$1" = run ] && [ -e /etc/demo/broken ]; then exit 3; fi\n'
    program = packages.TREE.replace("#!/bin/sh\n", broken).encode()
    built = server.build(plugins=PLUGINS, unit={"Type": "exec"}, program=program, target=Target(tree=True))
    server.install(built["demo"], built["demo-plugin-git"])
    server.machine.sh("touch /etc/demo/broken")
    said = server.install(built["demo-plugin-cors"])
    assert "demo.service does not start with the old set either: journalctl -u demo.service" in said
    assert "the old set stays: demo with git 1.0-1; demo.service has failed" in said
    assert "goes on serving" not in said
    server.machine.sh("rm /etc/demo/broken; systemctl restart demo; demo-plugins apply")
    assert server.starts()[-1] == "1.0 with: cors git"
    assert server.status() == 0


# What somebody does to a command, and why it is not run then.
NOT_RUN = {
    "rm /srv/drain": "it does not exist",
    "chmod 0644 /srv/drain": "it is not a program",
    "chown nobody /srv/drain": "others than root can change /srv/drain",
    "chmod 0777 /srv/drain": "others than root can change /srv/drain",
    "chmod 0777 /srv": "others than root can change /srv",
    "mv /srv/drain /tmp/drain; ln -s /tmp/drain /srv/drain": "others than root can change /tmp",
    # Whoever owns the link chooses what root runs.
    "mv /srv/drain /root/d; ln -s /root/d /srv/drain; chown -h nobody /srv/drain": "others than root can change "
    "/srv/drain",
}


def test_a_command_that_others_could_change_is_not_run(debian: Server, share: slice) -> None:
    built = debian.build(plugins=PLUGINS)
    debian.install(built["demo"])
    for prepare, reason in [*NOT_RUN.items()][share]:
        debian.machine.sh("chmod 0755 /srv; rm -f /srv/drain /tmp/drain")
        debian.machine.write("/srv/drain", "#!/bin/sh\ntouch /root/was-run\n", 0o755)
        policy(debian, "/srv/drain")
        debian.machine.sh(prepare)
        said = debian.install(built["demo-plugin-git"])
        assert f"restart = /srv/drain was not run: {reason}" in said
        assert not debian.machine.path("/root/was-run").exists()
        assert debian.status() == 1
        policy(debian, "auto")
        debian.remove("demo-plugin-git")


def test_policy_rc_d_forbids_a_command_too(debian: Server) -> None:
    built = debian.build(plugins=PLUGINS)
    debian.install(built["demo"])
    debian.machine.write("/usr/local/sbin/drain", "#!/bin/sh\ntouch /root/was-run\n", 0o755)
    policy(debian, "/usr/local/sbin/drain")
    debian.machine.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
    assert "policy-rc.d forbids a restart" in debian.install(built["demo-plugin-git"])
    assert not debian.machine.path("/root/was-run").exists()


def test_needrestart_lists_a_deferred_restart(debian: Server) -> None:
    """It looks for processes whose program was replaced, so the server must be a program and no script."""
    program = (debian.machine.path("/usr/bin/sleep")).read_bytes()
    copy = '#!/bin/sh\nset -eu\noutput=$1\nshift\ncat /usr/lib/demo/bin/demo-core >"$output"\nchmod 0755 "$output"\n'
    server = {"ExecStart": "/usr/bin/demo infinity", "Type": "simple"}
    built = debian.build(plugins=PLUGINS, unit=server, program=program, target=Target(assemble=copy), check="--version")
    debian.install(built["demo"], built["demo-plugin-git"])
    assert "demo.service" not in debian.machine.run("needrestart", "-b").stdout
    policy(debian, "defer")
    debian.install(built["demo-plugin-cors"])
    assert "NEEDRESTART-SVC: demo.service\n" in debian.machine.run("needrestart", "-b").stdout
    debian.machine.run("systemctl", "restart", "demo")
    assert "demo.service" not in debian.machine.run("needrestart", "-b").stdout
    assert debian.status() == 0


def test_memory_of_256_mb_is_enough(server: Server) -> None:
    built = server.build(plugins=PLUGINS)
    server.install(built["demo"], built["demo-plugin-git"])
    policy(server, "defer")
    server.install(built["demo-plugin-cors"])
    server.machine.sh("rm -rf /usr/lib/demo/bin/serving")
    limited = ["systemd-run", "--quiet", "--wait", "--pipe", "-p", "MemoryMax=256M", "-p", "MemorySwapMax=0"]
    done = server.machine.run(*limited, "-p", "LimitDATA=256M", "/usr/bin/demo-plugins", "apply")
    assert "verified and put into demo: cors 1.0-1, git 1.0-1" in done.stdout


def test_a_read_only_usr_is_refused_and_the_old_set_serves_on(server: Server) -> None:
    built = server.build(plugins=PLUGINS)
    server.install(built["demo"], built["demo-plugin-git"])
    server.machine.sh("mount --bind /usr/lib/demo/bin /usr/lib/demo/bin; mount -o remount,bind,ro /usr/lib/demo/bin")
    said = server.install(built["demo-plugin-cors"])
    assert "is the disk full, or /usr read-only?" in said
    assert "repair: make room or remount it writable, then demo-plugins apply" in said
    assert server.starts() == ["1.0 with: git"]
    assert "demo-apply.service" in shown_as_failed(server)
    assert server.status() == 1
    server.machine.sh("umount /usr/lib/demo/bin; demo-plugins apply")
    assert server.starts()[1:] == ["1.0 with: cors git"]
    assert shown_as_failed(server) == ""


class Upgrading(Apt):
    """Debian 12 whose unattended-upgrades installs from our repository."""

    base_name = "debian12-upgrades"

    def configure(self, address: str) -> None:
        super().configure(address)
        self.write(
            "/etc/apt/apt.conf.d/52ours",
            '#clear Unattended-Upgrade::Origins-Pattern;\nUnattended-Upgrade::Origins-Pattern { "origin=greet"; };\n',
        )

    def upgrade_unattended(self) -> str:
        """What the timer calls, and what it said; then all that it left to do is done."""
        self.apt("update", "--error-on=any")
        said = self.run("unattended-upgrade", "-v", timeout=300).stdout
        self.settle()
        return said

    def settle(self) -> None:
        working = "systemctl list-units --all --plain --no-legend --state=activating 'greet-apply*' | grep -q ."
        self.sh(f"while {working}; do sleep 0.1; done", timeout=120)


FIVE = ("bye", "hello", "moon", "noon", "tea")


@pytest.fixture
def greet_with_five(greet: Workspace, tmp_path: Path) -> Workspace:
    """The sample with five plugins of versions of their own."""
    project = greet.copy(tmp_path / "five")
    file = project.root / "mkpkgs.toml"
    text = file.read_text()
    for name in ("noon", "tea"):
        shutil.copytree(project.root / "plugins/bye", project.root / f"plugins/{name}")
        more = f'[plugin.{name}]\nsummary = "Greets at {name}"\nfiles = {{ source = "plugins/{name}" }}\n\n'
        text = text.replace("[repository]", f"{more}[repository]")
    file.write_text(re.sub(r"(?m)^\[plugin\.(\w+)\]$", r'[plugin.\1]\nversion = "1.0"', text))
    project.mkpkgs()
    return project


@pytest.fixture
def upgrading(bootable: None, greet_with_five: Workspace, tmp_path: Path) -> Iterator[Upgrading]:
    with Upgrading(greet_with_five.dist, tmp_path / "machine", "greet") as system:
        system.use()
        system.install("greet", *system.plugin(*FIVE))
        yield system


def raise_plugins(project: Workspace) -> None:
    """New versions of the plugins alone, with other words."""
    file = project.root / "mkpkgs.toml"
    text = file.read_text()
    file.write_text(re.sub(r'(?m)^(\[plugin\.\w+\]\nversion = )"1.0"$', r'\1"1.1"', text))
    for name in FIVE:
        greeting = project.root / f"plugins/{name}/greeting"
        greeting.write_text(greeting.read_text().replace("Good", "Very good"))
    project.mkpkgs()


def greetings(system: Upgrading) -> str:
    return system.sh("curl -s --retry 20 --retry-connrefused --retry-delay 1 http://127.0.0.1:8080/")


def test_unattended_upgrades_of_five_plugins_are_one_restart(upgrading: Upgrading, greet_with_five: Workspace) -> None:
    # apt takes all packages of one source in one run; plugins of several maintainers are of several sources.
    upgrading.write("/etc/apt/apt.conf.d/90alone", 'APT::Get::Upgrade-By-Source-Package "false";\n')
    assert greetings(upgrading).count("Good") == 5
    before = upgrading.starts()
    raise_plugins(greet_with_five)
    said = upgrading.upgrade_unattended()
    assert said.count("greet-plugins: put off until unattended-upgrades (process ") >= 4, "one of them brings another"
    assert greetings(upgrading).count("Very good") == 5
    assert upgrading.starts() == before + 1
    assert upgrading.run("greet-plugins", "status").returncode == 0
    assert upgrading.sh("systemctl --failed --plain --no-legend") == ""
    assert upgrading.sh("systemctl list-units --all --plain --no-legend 'greet-apply-later*'") == ""


def test_an_installation_by_hand_is_live_when_apt_returns(upgrading: Upgrading, greet_with_five: Workspace) -> None:
    upgrading.remove("greet-plugin-hello")
    assert "hello" not in greetings(upgrading)
    upgrading.install("greet-plugin-hello")
    assert "hello: Good morning" in greetings(upgrading)
    assert upgrading.run("greet-plugins", "status").returncode == 0


def test_a_core_upgrade_by_unattended_upgrades_takes_all_along(
    upgrading: Upgrading, greet_with_five: Workspace
) -> None:
    before = upgrading.starts()
    greet_with_five.replace("mkpkgs.toml", version="1.5")
    program = greet_with_five.root / "greet"
    program.write_text(program.read_text().replace("('1.0', '1')", "('1.5', '1')"))
    raise_plugins(greet_with_five)
    upgrading.upgrade_unattended()
    assert greetings(upgrading).startswith("greet 1.5 as greet\n")
    assert greetings(upgrading).count("Very good") == 5
    assert upgrading.starts() == before + 1
    assert upgrading.run("greet-plugins", "status").returncode == 0


def test_a_shutdown_before_unattended_upgrades_ends_is_made_up_for_at_boot(
    upgrading: Upgrading, greet_with_five: Workspace
) -> None:
    before = upgrading.starts()
    raise_plugins(greet_with_five)
    upgrading.apt("update", "--error-on=any")
    # It goes on after its last package, as with a slow mail server: here the hook that runs after each dpkg waits.
    upgrading.write(
        "/etc/apt/apt.conf.d/90wait", 'DPkg::Post-Invoke { "while [ -e /run/wait ]; do sleep 0.2; done"; };\n'
    )
    upgrading.sh("touch /run/wait; setsid unattended-upgrade >/dev/null 2>&1 </dev/null &")
    upgrading.sh("while ! journalctl -t greet-plugins -o cat | grep -q 'put off until'; do sleep 0.2; done", timeout=60)
    said = upgrading.run("greet-plugins", "status", check=False)
    assert said.returncode == 1
    assert "apply waits until unattended-upgrades (process " in said.stdout
    assert upgrading.starts() == before
    assert "Very good" not in greetings(upgrading)
    upgrading.stop()
    upgrading.start()
    assert "Very good" in greetings(upgrading)
    assert upgrading.starts() == before + 1
    assert upgrading.run("greet-plugins", "status").returncode == 0


def test_a_program_of_another_name_puts_nothing_off(debian: Server) -> None:
    """Only the program itself counts, not what merely speaks of it."""
    built = debian.build(plugins=PLUGINS)
    debian.install(built["demo"])
    for number, script in enumerate(("/root/50unattended-upgrades", "/root/unattended-upgrade.sh")):
        debian.machine.write(script, '#!/bin/sh\ndpkg -i "$@"\ntrue\n', 0o755)
        said = debian.machine.run(script, built[["demo-plugin-git", "demo-plugin-cors"][number]]).stdout
        assert "put off" not in said
    assert debian.starts()[1:] == ["1.0 with: git", "1.0 with: cors git"]
