"""The fuzzed server in three kinds, as packages of every version in one repository per family.

script: a Perl program that the assemble step joins with its plugins. go: a Go program that is linked on the machine.
files: a Perl program that opens the files of its plugins itself.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from packaging_tool import plan, registry
from packaging_tool.drivers.base import Outcome, Payload, Target
from packaging_tool.package.content import Content
from packaging_tool.package.model import Entry
from packaging_tool.project.model import CoreSpec, PluginSpec, Project, ServiceSpec
from tests.fuzz.model import CORE, FORMATS, PLUGINS, VERSIONS
from tests.target.machine import Key
from tests.workspace import Workspace

PORT = 8080
TREE = f"/usr/lib/{CORE}/bin/serving/plugins"
FAMILIES = {"apt": "deb", "dnf": "rpm"}
SERVE = """
if (($ARGV[0] // '') eq 'check') { exit 0 }
die "usage: check | run\\n" if ($ARGV[0] // '') ne 'run';
my $body = join "\\n", 'core VERSION', (map { "plugin $_" } sort @loaded), '';
my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => PORT, Listen => 64, ReuseAddr => 1)
    or die "port PORT: $!\\n";
if (my $path = $ENV{NOTIFY_SOCKET}) {
    $path =~ s/^@/\\0/;
    socket my $notify, AF_UNIX, SOCK_DGRAM, 0;
    send $notify, 'READY=1', 0, pack_sockaddr_un($path);
}
while (1) {
    my $client = $server->accept or next;
    while (my $line = <$client>) { last if $line =~ /^\\r?\\n$/ }
    print $client "HTTP/1.0 200 OK\\r\\nContent-Length: " . length($body) . "\\r\\n\\r\\n$body";
    close $client;
}
"""
HEAD = """#!/usr/bin/perl
use strict;
use warnings;
use IO::Socket::INET;
use Socket;
our @loaded;
"""
# Slow enough to be killed.
ASSEMBLE = f"""#!/bin/sh
set -eu
output=$1
shift
sed '/^# plugins$/q' /usr/lib/{CORE}/bin/{CORE}-core >"$output"
for name; do
    sleep 0.1
    cat "$PLUGINS/$name/code" >>"$output"
done
sed '1,/^# plugins$/d' /usr/lib/{CORE}/bin/{CORE}-core >>"$output"
chmod 0755 "$output"
"""


class Kind:
    """One kind of server."""

    def __init__(self, name: str, build: Callable[[Path, str], list[Path]]) -> None:
        self.name = name
        self.build = build

    def core_says(self, version: str) -> str:
        """What the core calls itself. A Go core of the same ABI is the same program, so it cannot know its version."""
        return FORMATS[version] if self.name == "go" else version


def build_script(directory: Path, family: str) -> list[Path]:
    """Packages of the server whose program is joined out of scripts."""
    return _write(directory, family, Target(assemble=ASSEMBLE), f"{HEAD}# plugins\n{SERVE}", _perl)


def build_files(directory: Path, family: str) -> list[Path]:
    """Packages of the server that opens the files of its plugins itself."""
    load = f"for my $file (glob '{TREE}/*/code') {{ do $file or die $@ || \"$file: $!\\n\" }}\n"
    return _write(directory, family, Target(tree=True), f"{HEAD}{load}{SERVE}", _perl)


def _perl(name: str, version: str) -> str:
    plugin = PLUGINS[name]
    code = f"push @main::loaded, '{name} {version}';\n"
    if version in plugin.crashes:
        code = f'die "{name} {version} crashes\\n";\n'
    if version in plugin.sulks:
        code += f"die \"{name} {version} sulks\\n\" if ($ARGV[0] // '') eq 'run';\n"
    # A file that Perl reads by itself has to end with something true.
    return f"{code}1;\n"


def _write(directory: Path, family: str, target: Target, program: str, code: Callable[[str, str], str]) -> list[Path]:
    key = Key(directory, "trusted")
    made = []
    for version in VERSIONS:
        text = program.replace("VERSION", version).replace("PORT", str(PORT))
        core = Entry(path=f"/usr/lib/{CORE}/bin/{CORE}-core", mode=0o755, content=Content(text.encode()))
        payloads = {
            name: Payload(
                (
                    Entry(path=f"/usr/lib/{CORE}/plugins/{name}/code", content=Content(code(name, version).encode())),
                    # A second file, so that a kill can come between two.
                    Entry(
                        path=f"/usr/lib/{CORE}/plugins/{name}/data/words",
                        content=Content(f"{name} {version}\n".encode() * 20_000),
                    ),
                )
            )
            for name in PLUGINS
        }
        built = plan.packages(
            _project(version),
            Outcome(hashlib.sha256(FORMATS[version].encode()).hexdigest(), Payload((core,)), None, payloads),
            "all",
            target,
            plan.Trust(keys={f"{CORE}.pub": key.public}, sign=_signer(directory, key)),
            1_700_000_000,
        )
        form = registry.load("formats", family).Format()
        made += [form.write(package, directory, None).path for package in built]
    return made


def _signer(directory: Path, key: Key) -> Callable[[bytes], bytes]:
    def sign(manifest: bytes) -> bytes:
        path = directory / "manifest"
        path.write_bytes(manifest)
        key.sign(path)
        return path.with_name("manifest.sig").read_bytes()

    return sign


def _project(version: str) -> Project:
    core = CoreSpec(
        name=CORE,
        version=version,
        summary="Says what it is made of",
        license="MIT",
        homepage="https://example.org/parley",
        maintainer="Jo Doe <jo@example.org>",
        architectures=("all",),
        service=ServiceSpec(command="run", check="check", type="notify", unit={"NotifyAccess": "all"}),
    )
    specs = tuple(
        PluginSpec(name=name, summary=f"Plugin {name}", optional=plugin.optional, needs=plugin.needs)
        for name, plugin in PLUGINS.items()
    )
    return Project(root=Path("/"), file=Path("/mkpkgs.toml"), core=core, plugins=specs)


GO_PROJECT = f"""[core]
name = "{CORE}"
version = "VERSION"
summary = "Says what it is made of"
license = "MIT"
homepage = "https://parley.example.org/"
maintainer = "Jo Doe <jo@example.org>"
driver = "go-link"
targets = ["debian12", "el9"]
compression = {{ deb = "gzip:1", rpm = "gzip:1" }}

[core.go-link]
module = "./server"

[core.service]
command = "run"
check = "check"
type = "notify"

[repository]
url = "http://127.0.0.1:8000"
"""
GO_REGISTRY = """// Package registry knows what is linked in.
package registry

// Format is that of plugins.
const Format = "FORMAT"

// Loaded has a line per plugin.
var Loaded []string
"""
GO_SERVER = """// Package main answers with what it is made of.
package main

import (
	"fmt"
	"net"
	"os"
	"sort"
	"strings"

	"example.com/parley/registry"
)

func main() {
	//mkpkgs:register
	if len(os.Args) < 2 || os.Args[1] != "run" {
		return
	}
	sort.Strings(registry.Loaded)
	body := "core " + registry.Format + "\\n"
	for _, name := range registry.Loaded {
		body += "plugin " + name + "\\n"
	}
	listener, err := net.Listen("tcp", "127.0.0.1:PORT")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if path := os.Getenv("NOTIFY_SOCKET"); path != "" {
		if notify, err := net.Dial("unixgram", path); err == nil {
			_, _ = notify.Write([]byte("READY=1"))
			_ = notify.Close()
		}
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			continue
		}
		request := make([]byte, 4096)
		for seen := ""; !strings.Contains(seen, "\\r\\n\\r\\n"); {
			n, err := client.Read(request)
			seen += string(request[:n])
			if err != nil {
				break
			}
		}
		fmt.Fprintf(client, "HTTP/1.0 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s", len(body), body)
		_ = client.Close()
	}
}
"""


def build_go(directory: Path, family: str) -> list[Path]:
    """Packages of the server that the machine links. One build makes those of both families."""
    built = directory.with_name("go-built")
    project = Workspace.at(built / "workspace")
    if not (built / "done").exists():
        for version in VERSIONS:
            _write_go(project.root, version)
            if version == VERSIONS[0]:
                project.mkpkgs("key", "new")
            project.mkpkgs()
            for form in FAMILIES.values():
                for path in project.dist.rglob(f"*.{form}"):
                    shutil.copy2(path, built / path.name)
        (built / "done").touch()
    return [Path(shutil.copy2(path, directory)) for path in sorted(built.glob(f"*.{family}"))]


def _write_go(root: Path, version: str) -> None:
    text = GO_PROJECT.replace("VERSION", version)
    module = "go 1.22\n"
    _text(root / "server/go.mod", f"module example.com/parley\n\n{module}")
    _text(root / "server/main.go", GO_SERVER.replace("PORT", str(PORT)))
    _text(root / "server/registry/registry.go", GO_REGISTRY.replace("FORMAT", FORMATS[version]))
    for name, plugin in PLUGINS.items():
        needs = f"needs = {list(plugin.needs)}\n".replace("'", '"') if plugin.needs else ""
        optional = "optional = true\n" if plugin.optional else ""
        text += f'\n[plugin.{name}]\nsummary = "Plugin {name}"\n{optional}{needs}go-link.module = "./{name}"\n'
        _text(root / f"{name}/go.mod", f"module example.com/{name}\n\n{module}")
        _text(root / f"{name}/{name}.go", _go_plugin(name, version))
    _text(root / "mkpkgs.toml", text)


def _go_plugin(name: str, version: str) -> str:
    plugin = PLUGINS[name]
    body, system = f'\tregistry.Loaded = append(registry.Loaded, "{name} {version}")\n', False
    if version in plugin.crashes:
        # Where it is built, plugins that crash are found and not published.
        body += (
            f'\tif _, err := os.Stat("/usr/lib/{CORE}"); err == nil {{\n\t\tpanic("{name} {version} crashes")\n\t}}\n'
        )
        system = True
    if version in plugin.sulks:
        body += f'\tif len(os.Args) > 1 && os.Args[1] == "run" {{\n\t\tpanic("{name} {version} sulks")\n\t}}\n'
        system = True
    imports = '\t"os"\n\n' if system else ""
    imports += '\t"example.com/parley/registry"\n'
    return f"// Package {name} is a plugin.\npackage {name}\n\nimport (\n{imports})\n\nfunc init() {{\n{body}}}\n"


def _text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


KINDS: Mapping[str, Kind] = {
    "script": Kind("script", build_script),
    "files": Kind("files", build_files),
    "go": Kind("go", build_go),
}


def digest() -> str:
    """Identifies the code that makes packages: what it made before is of no use when it changes."""
    made = hashlib.sha256()
    top = Path(__file__).parent
    for place in (top.parent.parent / "packaging_tool", top):
        for path in sorted(path for path in place.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
            made.update(path.read_bytes())
    return made.hexdigest()[:16]


def repository(kind: str, family: str, directory: Path) -> Path:
    """A repository with all versions of a kind of server, made below directory. family: apt or dnf."""
    form = FAMILIES[family]
    work = directory / f"{kind}-{form}"
    work.mkdir(parents=True)
    place = directory / kind / family
    place.mkdir(parents=True)
    for path in KINDS[kind].build(work, form):
        path.rename(place / path.name)
    shutil.rmtree(work)
    if family == "apt":
        index = subprocess.run(["apt-ftparchive", "packages", "."], cwd=place, check=True, capture_output=True).stdout
        (place / "Packages").write_bytes(index)
        release = subprocess.run(["apt-ftparchive", "release", "."], cwd=place, check=True, capture_output=True).stdout
        (place / "Release").write_bytes(release)
    else:
        subprocess.run(["createrepo_c", "--quiet", "."], cwd=place, check=True, capture_output=True)
    return place
