"""Real packages of a small server whose program is a shell script and whose assemble step joins shell scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from packaging_tool import plan, registry
from packaging_tool.drivers.base import Outcome, Payload, Target
from packaging_tool.package.content import Content
from packaging_tool.package.model import Entry
from packaging_tool.project.model import CoreSpec, PluginSpec, Project, ServiceSpec
from tests.target.machine import ABI, Key

PROGRAM = """#!/bin/sh
# version VERSION
plugins=
case $1 in
version) ;;
run) ;;
*) exit 64 ;;
esac
"""
# The last lines come after those of the plugins.
REST = """
case $1 in
version) echo "demo $plugins" ;;
run)
    echo "STARTED VERSION with:$plugins as $(id -un)"
    systemd-notify --ready
    exec sleep infinity
    ;;
esac
"""
# It opens the files of plugins by itself, and again when it is told to reload.
TREE = """#!/bin/sh
load() {
    plugins=
    for code in /usr/lib/demo/bin/serving/plugins/*/code; do if [ -e "$code" ]; then . "$code"; fi; done
}
load
case $1 in
version) echo "demo $plugins" ;;
run)
    echo "STARTED VERSION with:$plugins as $(id -un)"
    trap 'load; echo "RELOADED with:$plugins"' HUP
    systemd-notify --ready
    while :; do sleep 3600 & wait; done
    ;;
esac
"""
ASSEMBLE = """#!/bin/sh
set -eu
output=$1
shift
{
    sed '/^# end of the head$/q' /usr/lib/demo/bin/demo-core
    for name; do cat "$PLUGINS/$name/code"; done
    sed '1,/^# end of the head$/d' /usr/lib/demo/bin/demo-core
} >"$output"
chmod 0755 "$output"
"""


def project(version: str, plugins: Mapping[str, str], unit: Mapping[str, str], check: str = "version") -> Project:
    """unit: lines of [Service]; `Type` among them is another one than notify."""
    lines: dict[str, Any] = {"NotifyAccess": "all", "Type": "notify", **unit}
    core = CoreSpec(
        name="demo",
        version=version,
        summary="Demonstration server",
        license="MIT",
        homepage="https://example.org/demo",
        maintainer="Jo Doe <jo@example.org>",
        architectures=("all",),
        service=ServiceSpec(command="run", check=check, type=lines.pop("Type"), unit=lines),
    )
    specs = tuple(PluginSpec(name=name, summary=f"Plugin {name}") for name in sorted(plugins))
    return Project(root=Path("/"), file=Path("/mkpkgs.toml"), core=core, plugins=specs)


def write(
    directory: Path,
    family: str,
    key: Key,
    *,
    version: str = "1.0",
    plugins: Mapping[str, str] | None = None,
    unit: Mapping[str, str] | None = None,
    program: bytes | None = None,
    target: Target | None = None,
    check: str = "version",
    keys: Sequence[Key] = (),
    facts: Mapping[str, Any] | None = None,
    brings: Mapping[str, bytes] | None = None,
    kit: Mapping[str, bytes] | None = None,
    needs: Mapping[str, Sequence[str]] | None = None,
    abi: str = ABI,
) -> dict[str, Path]:
    """Package files by package name. plugins: lines of shell by name. unit: more lines of the unit.

    program, target, check: another program, what its driver needs, and the arguments of its try. keys: that the core
    trusts beside key. facts: more of the project file. brings: files, by path, that each plugin's package has beside.
    kit: files of the kit, by path below it. needs: what plugins need, by name.
    """
    made = dict(plugins or {})
    text = program or f"{PROGRAM}# end of the head\n{REST}".encode()
    text = text.replace(b"VERSION", version.encode())
    core = Entry(path="/usr/lib/demo/bin/demo-core", mode=0o755, content=Content(text))
    payloads = {
        name: Payload((Entry(path=f"/usr/lib/demo/plugins/{name}/code", content=Content(code.encode())),))
        for name, code in made.items()
    }

    def sign(manifest: bytes) -> bytes:
        path = directory / "manifest"
        path.write_bytes(manifest)
        key.sign(path)
        return path.with_name("manifest.sig").read_bytes()

    directory.mkdir(parents=True, exist_ok=True)
    spec = project(version, made, unit or {}, check)
    spec = replace(
        spec, plugins=tuple(replace(one, needs=tuple((needs or {}).get(one.name, ()))) for one in spec.plugins)
    )
    tools = None
    if kit:
        entries = (Entry(path=f"/usr/lib/demo/kit/{path}", content=Content(data)) for path, data in kit.items())
        tools = Payload(tuple(entries))
    built = plan.packages(
        replace(spec, core=replace(spec.core, **(facts or {}))),
        Outcome(abi, Payload((core,)), tools, payloads),
        "all",
        target or Target(assemble=ASSEMBLE),
        plan.Trust(keys={f"{one.id.hex()}.pub": one.public for one in (key, *keys)}, sign=sign),
        1_700_000_000,
    )
    form = registry.load("formats", family).Format()
    more = tuple(Entry(path=path, content=Content(data)) for path, data in (brings or {}).items())
    return {
        package.name: form.write(
            replace(package, entries=tuple(sorted((*package.entries, *more), key=lambda entry: entry.path)))
            if package.name != "demo"
            else package,
            directory,
            None,
        ).path
        for package in built
    }
