"""What an administrator sets for the service holds for try and check: drop-ins, another unit, another configuration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from packaging_tool.project.model import ServiceSpec
from tests import roots
from tests.machine import Machine
from tests.target.machine import Key
from tests.target.server import PLUGINS, Server

pytestmark = pytest.mark.acceptance

ROOTS = {"deb": "debian12-apt", "rpm": "debian12-dnf"}
DROP_IN = "/etc/systemd/system/demo.service.d/override.conf"
# Its configuration names what must be there: a variable, a file, a credential.
PROGRAM = """#!/bin/sh
# version VERSION
plugins=
failed() {
    echo "$1" >&2
    exit 1
}
configure() {
    [ -r "$1" ] || failed "cannot read $1"
    while read -r kind name; do
        case $kind in
        variable) eval "[ -n \\"\\${$name-}\\" ]" || failed "the variable $name is empty" ;;
        file) cat "$name" >/dev/null || exit 1 ;;
        credential) cat "$CREDENTIALS_DIRECTORY/$name" >/dev/null || exit 1 ;;
        esac
    done <"$1"
}
case $1 in
version) ;;
run | validate) configure "$3" ;;
*) exit 64 ;;
esac
# end of the head

case $1 in
version) echo "demo $plugins" ;;
validate) echo "good" ;;
run)
    echo "STARTED VERSION with:$plugins as $(id -un)"
    systemd-notify --ready
    exec sleep infinity
    ;;
esac
"""
SLY = 'if [ "$1" = version ]; then exit 226; fi\n'
SERVICE = ServiceSpec(
    command="run --config /etc/demo/demo.conf",
    check="version",
    config_check="validate --config /etc/demo/demo.conf",
    type="notify",
    unit={"NotifyAccess": "all"},
)


@pytest.fixture(params=sorted(ROOTS))
def server(request: pytest.FixtureRequest, bootable: None, tmp_path: Path) -> Iterator[Server]:
    with Machine(roots.root(ROOTS[request.param]), tmp_path / "root") as machine:
        yield Server(machine, Key(tmp_path, "trusted"), tmp_path / "packages", request.param)


def test_what_the_service_sees_is_what_try_and_check_see(server: Server) -> None:
    machine = server.machine
    # As Ansible does it: settings first, then the package.
    machine.sh(
        "groupadd keys; useradd -r -d / web; mkdir -p /srv/certs /etc/demo /home/jo; echo REGION=eu >/etc/default/demo;"
        "echo x | tee /srv/certs/tls /srv/certs/key /srv/certs/secret >/home/jo/file; chmod 0600 /srv/certs/tls;"
        "chmod 0640 /srv/certs/key; chgrp keys /srv/certs/key"
    )
    sets(
        server,
        "Environment=API_TOKEN=a%%b\nEnvironmentFile=/etc/default/%p\nSupplementaryGroups=keys\n"
        "LoadCredential=tls:/srv/certs/tls\nBindReadOnlyPaths=/srv/certs:/opt\n",
        "variable API_TOKEN\nvariable REGION\ncredential tls\nfile /opt/key\n",
    )
    built = server.build(plugins={**PLUGINS, "sly": SLY}, program=PROGRAM.encode(), facts={"service": SERVICE})
    said = server.install(built["demo"], built["demo-plugin-git"])
    assert "repair" not in said
    assert server.state() == "active", said
    takes(server)
    machine.sh("echo x >/etc/demo/secret; chmod 0600 /etc/demo/secret; chown web: /etc/demo/secret")
    sets(server, "User=web\nGroup=web\nSupplementaryGroups=demo\n", "file /etc/demo/secret\n")
    takes(server, user="web")
    not_in_the_group(server)
    owners_stay(server, built["demo"])
    another_configuration(server)
    another_unit(server)
    what_cannot_be_had(server)
    what_systemd_refuses(server)
    # A program may end with a status that systemd has for containers that refuse namespaces: here nothing is refused.
    said = server.install(built["demo-plugin-sly"])
    assert "sly ended with status 226 when it was tried" in said
    assert "container" not in said
    server.remove("demo-plugin-sly")
    # Nothing of it stays.
    machine.sh(f"rm {DROP_IN}; : >/etc/demo/demo.conf; systemctl daemon-reload")
    takes(server)
    assert machine.sh("find /run/systemd/system -name '00-service.conf'") == ""
    sets(server, "Environment=A=b\n", "variable A\n")
    takes(server)
    # It may be secret, as a drop-in can be.
    assert machine.sh("find /run/systemd/system -name '00-service.conf' -perm 0600 | wc -l").strip() == "2"
    for name in ("demo-plugin-git", "demo"):
        server.remove(name)
    assert machine.sh("find /run/systemd/system -name 'demo*'") == ""


def not_in_the_group(server: Server) -> None:
    """What the group of the packaged user may read, the administrator's user may not."""
    machine = server.machine
    machine.sh("echo x >/etc/demo/shared; chgrp demo /etc/demo/shared; chmod 0640 /etc/demo/shared")
    sets(server, "User=web\nGroup=web\n", "file /etc/demo/shared\n")
    done = machine.run("demo-plugins", "enable" if disabled(server) else "disable", "git", check=False)
    assert done.returncode == 1
    assert (
        f"repair: add SupplementaryGroups=demo to {DROP_IN}, since web may not read what the group demo may"
        in done.stdout
    )
    sets(server, "User=web\nGroup=web\nSupplementaryGroups=demo\n", "file /etc/demo/shared\n")
    machine.run("demo-plugins", "apply")


def owners_stay(server: Server, core: str) -> None:
    """A package that comes once more takes nothing from a server that runs."""
    machine = server.machine
    assert machine.sh("stat -c %U:%G /var/lib/demo") == "web:web\n"
    chosen = "750 root:demo\n"
    if server.family == "deb":
        machine.sh("dpkg-statoverride --update --add root keys 0755 /usr/lib/demo/plugins")
        chosen = "755 root:keys\n"
    server.install(core)
    machine.run("systemd-tmpfiles", "--create", "--exclude-prefix=/var/lib")
    assert machine.sh("stat -c %U:%G /var/lib/demo") == "web:web\n"
    assert "all is well" in machine.run("demo-plugins", "doctor").stdout
    assert machine.sh("stat -c '%a %U:%G' /usr/lib/demo/plugins") == chosen
    if server.family == "deb":
        machine.sh("dpkg-statoverride --remove /usr/lib/demo/plugins; chgrp demo /usr/lib/demo/plugins")
        assert "repaired" in machine.run("demo-plugins", "doctor").stdout


def another_configuration(server: Server) -> None:
    """ExecStart= with another file, the packaged one broken."""
    server.machine.write("/etc/demo/site.conf", "variable A\n")
    command = "ExecStart=\nExecStart=/usr/bin/demo run --config /etc/demo/site.conf --verbose\n"
    sets(server, f"{command}Environment=A=b\n", "variable NOBODY_HAS_IT\n")
    takes(server)
    # What it does is not told by the words.
    server.machine.write("/opt/start", '#!/bin/sh\nexec demo run --config "$1"\n', 0o755)
    sets(server, "ExecStart=\nExecStart=/opt/start /etc/demo/site.conf\nEnvironment=A=b\n", "variable NOBODY_HAS_IT\n")
    names_the_way(server, "the variable NOBODY_HAS_IT is empty", "ExecStart")


def another_unit(server: Server) -> None:
    """`systemctl edit --full`."""
    unit = "/etc/systemd/system/demo.service"
    sets(server, "Environment=A=b\n", "variable A\nvariable B\n")
    server.machine.sh(
        f"sed '/^Type=/aEnvironment=B=c' /usr/lib/systemd/system/demo.service >{unit}; systemctl daemon-reload"
    )
    takes(server)
    server.machine.sh(f"rm {unit}; systemctl daemon-reload")


def what_cannot_be_had(server: Server) -> None:
    """The way out that the message names leads out."""
    sets(server, "ProtectHome=no\n", "file /home/jo/file\n")
    names_the_way(server, "/home/jo/file: ", "ProtectHome")
    own = "/etc/systemd/system/demo-check.service.d/settings.conf"
    server.machine.write(own, "[Service]\nProtectHome=read-only\n")
    server.machine.sh("systemctl daemon-reload")
    takes(server)
    server.machine.sh(f"rm {own}; systemctl daemon-reload")


def what_systemd_refuses(server: Server) -> None:
    """Whatever its status is, it is neither the plugin's fault nor the machine's."""
    for line in ("BindReadOnlyPaths=/srv/gone", "EnvironmentFile=/srv/gone", "SupplementaryGroups=nosuch"):
        sets(server, f"{line}\n", "")
        word = "enable" if disabled(server) else "disable"
        done = server.machine.run("demo-plugins", word, "git", check=False)
        assert done.returncode == 1, line
        assert f"systemd cannot start demo-try.service with the settings of {DROP_IN}: it " in done.stdout, line
        assert "container" not in done.stdout
        assert server.state() == "active"
        sets(server, "", "")
        server.machine.run("demo-plugins", "apply")


def test_a_server_that_makes_machine_code_runs_where_its_maintainer_says_so(bootable: None, tmp_path: Path) -> None:
    # Memory that can be read, written and run.
    jit = "python3 -c 'import mmap; mmap.mmap(-1, 4096, prot=7)' || exit 3"
    program = PROGRAM.replace("# end of the head\n", f"{jit}\n# end of the head\n").encode()
    with Machine(roots.root("debian12-python"), tmp_path / "root") as machine:
        server = Server(machine, Key(tmp_path, "trusted"), tmp_path / "packages", "deb")
        service = replace(SERVICE, config_check="", command="run --config /dev/null")
        said = server.install(server.build(program=program, facts={"service": service})["demo"])
        assert "demo ended with status 3 when it was tried, with no plugins: PermissionError" in said
        service = replace(service, jit=True)
        server.install(server.build(version="1.1", program=program, facts={"service": service})["demo"])
        assert server.state() == "active"


def sets(server: Server, settings: str, configuration: str) -> None:
    server.machine.write(DROP_IN, f"[Service]\n{settings}")
    server.machine.write("/etc/demo/demo.conf", configuration)
    server.machine.sh("systemctl daemon-reload")


def takes(server: Server, *, user: str = "demo") -> None:
    """Another set comes to serve: without the plugin, or with it again."""
    word, plugins = ("enable", " git") if disabled(server) else ("disable", "")
    done = server.machine.run("demo-plugins", word, "git", check=False)
    assert done.returncode == 0, done.stdout
    assert server.state() == "active"
    assert f"STARTED 1.0 with:{plugins} as {user}" in server.journal("-u", "demo").splitlines()[-4:]


def disabled(server: Server) -> str:
    return server.machine.sh("cat /etc/demo/plugins.d/disabled 2>/dev/null || :")


def names_the_way(server: Server, reason: str, key: str) -> None:
    word = "enable" if disabled(server) else "disable"
    done = server.machine.run("demo-plugins", word, "git", check=False)
    assert done.returncode == 1
    assert reason in done.stdout
    assert (
        f"if it needs what {DROP_IN} gives demo.service and demo-check.service cannot take over ({key}), put that into"
        in done.stdout
    )
    assert "/etc/systemd/system/demo-check.service.d/settings.conf" in done.stdout
    assert server.state() == "active"
    server.machine.run("demo-plugins", "disable" if word == "enable" else "enable", "git")
