"""`make demo`: the Caddy example from project file to a server that serves, with every command and what it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests import roots
from tests.machine import MachineError, why_no_boot
from tests.systems import Apt
from tests.workspace import Workspace, newest

EXAMPLE = Path(__file__).parent.parent / "examples/caddy"
CADDYFILE = """http://:8080 {
	root * /srv/site
	cors https://app.example.org
	templates
	file_server
}
"""
BROKEN = """package cors

import "os"

func init() {
	if _, err := os.Stat("/etc/caddy/Caddyfile"); err == nil {
		panic("a fault that only this machine shows")
	}
}
"""
# Lines of apt that say nothing about the packages.
NOISE = re.compile(
    r"^(Reading|Building|The following|debconf:|Selecting|\(Reading|Preparing|Need to get|After this|Fetched|Get:|Hit:)"
    r"|^  caddy|^WARNING|^$"
)


def title(text: str) -> None:
    print(f"\n# {text}", flush=True)


def show(machine: Apt, command: str, *, check: bool = True) -> str:
    """Print a command and what it says inside the machine, as a terminal would."""
    print(f"$ {command}", flush=True)
    said = machine.run("sh", "-c", command, check=check).stdout
    for line in said.splitlines():
        if not (command.startswith(("apt", "dpkg")) and NOISE.match(line)):
            print(line)
    return said


def expect(said: str, wanted: str) -> None:
    """End the demo with an error if what was to be shown was not there."""
    if wanted not in said:
        raise MachineError(f"the demo should have shown {wanted!r}, but this came:\n{said}")


def build(place: Path) -> Workspace:
    """Both keys and the repositories, from the example's project file."""
    title("One project file, one command: packages and signed repositories")
    print("$ mkpkgs key new\n$ mkpkgs --arch amd64", flush=True)
    project = Workspace.create(EXAMPLE, place)
    print(project.mkpkgs("--arch", "amd64").stdout, end="")
    for path in sorted(project.dist.rglob("*.deb")):
        print(f"{path.stat().st_size / 1e6:8.1f} MB  {path.relative_to(project.root)}")
    return project


def install(machine: Apt) -> None:
    """Core and two plugins, in one transaction."""
    title("Debian 12, our repository: install the core and two plugins")
    machine.apt("update")
    show(machine, "apt-get install -y caddy caddy-plugin-files caddy-plugin-cors")
    machine.write("/etc/caddy/Caddyfile", CADDYFILE)
    machine.write("/srv/site/index.html", "<p>2 + 3 = {{add 2 3}}</p>\n")


def serve(machine: Apt) -> None:
    """A page through `templates`, a header through `cors`."""
    title("They serve: a page through templates, a header through cors")
    show(machine, "cat /etc/caddy/Caddyfile")
    show(machine, "systemctl reload caddy")
    said = show(
        machine, "curl -si --retry 9 --retry-connrefused -H 'Origin: https://app.example.org' http://localhost:8080/"
    )
    expect(said, "2 + 3 = 5")
    expect(said, "Access-Control-Allow-Origin: https://app.example.org")
    expect(show(machine, "caddy list-modules | grep -E 'cors|templates|file_server'"), "http.handlers.cors")
    show(machine, "caddy-plugins list")
    show(machine, "caddy-plugins status")


def refuse(machine: Apt, project: Workspace, place: Path) -> None:
    """A plugin that somebody else signed, forced in past apt."""
    title("A plugin signed by somebody else, forced in with dpkg: refused, and the server goes on")
    foreign = Workspace.create(EXAMPLE, place / "foreign")
    # The builds are the same, so their results can be shared; only the keys differ.
    shutil.copytree(project.root / ".mkpkgs/go-link", foreign.root / ".mkpkgs/go-link")
    shutil.copy2(project.root / "mkpkgs.lock", foreign.root / "mkpkgs.lock")
    foreign.mkpkgs("--arch", "amd64", "build", "git")
    package = newest(foreign.dist, "caddy-plugin-git", "deb")
    machine.put(package, f"/root/{package.name}")
    show(machine, f"dpkg -i /root/{package.name}")
    said = show(machine, 'caddy-plugins status; echo "status: $?"', check=False)
    expect(said, "status: 1")
    expect(show(machine, "curl -s http://localhost:8080/"), "2 + 3 = 5")
    title("Away with it: what is installed is what serves again")
    show(machine, "apt-get remove -y caddy-plugin-git")
    expect(show(machine, 'caddy-plugins status; echo "status: $?"'), "status: 0")


def break_down(machine: Apt, project: Workspace) -> None:
    """An upgrade that brings a plugin which crashes on the machine, though it did not where it was built."""
    title("An upgrade brings a plugin that crashes: it is tried before it may serve, and the old one stays")
    (project.root / "cors/broken.go").write_text(BROKEN)
    manifest = project.root / "mkpkgs.toml"
    manifest.write_text(manifest.read_text().replace('browsers"\nversion = "1.0.0"', 'browsers"\nversion = "1.0.1"'))
    print(project.mkpkgs("--arch", "amd64").stdout, end="")
    machine.use(project.dist)
    machine.apt("update")
    show(machine, "apt-get upgrade -y")
    expect(show(machine, 'caddy-plugins status; echo "status: $?"', check=False), "status: 1")
    show(machine, "systemctl --failed --no-legend --plain")
    said = show(machine, "curl -si -H 'Origin: https://app.example.org' http://localhost:8080/")
    expect(said, "2 + 3 = 5")
    expect(said, "Access-Control-Allow-Origin: https://app.example.org")


def main() -> int:
    """Run the demo; the status says whether all of it was shown."""
    began = time.monotonic()
    place = Path(tempfile.mkdtemp(prefix="mkpkgs-demo."))
    try:
        base = roots.root("debian12-apt")
        why = why_no_boot(base, place / "probe")
        project = build(place / "example")
        with Apt(project.dist, place / "machine", "caddy", boot=not why) as machine:
            machine.use()
            install(machine)
            if why:
                print(f"\nNOT SHOWN: the running service, since no system can be booted here: {why}")
                said = show(machine, "caddy list-modules | grep -E 'cors|templates'; caddy-plugins status")
                expect(said, "http.handlers.cors")
            else:
                serve(machine)
                refuse(machine, project, place)
                break_down(machine, project)
    except (MachineError, AssertionError, OSError, subprocess.SubprocessError) as failed:
        print(f"demo: {failed}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(place, ignore_errors=True)
    print(f"\nDone in {time.monotonic() - began:.0f} s; the machine is gone, nothing is left running.")
    return 0


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("demo: it makes and boots a Debian system, so it must be root")
    sys.exit(main())
