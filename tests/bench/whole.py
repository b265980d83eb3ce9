"""Whole runs: sources to signed packages in signed repositories, for apt and for dnf."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.bench import measure, peers, scenarios, verify, workload
from tests.bench.measure import Contestant
from tests.bench.scenarios import Plan, Row

SPEC = "gzip"
HEAD = f"""\
[core]
name = "bench"
version = "1.0.0"
summary = "Server that shows how long it takes"
license = "MIT"
copyright = "2026 Ada Example"
homepage = "https://example.org/bench"
maintainer = "{workload.MAINTAINER}"
architectures = ["amd64"]
targets = ["debian12", "el9"]
driver = "files"
program = "{{program}}"
compression = {{{{ deb = "{SPEC}", rpm = "{SPEC}" }}}}

[core.files]
format = "1"
"""
PLUGIN = """
[plugin.{name}]
summary = "Plugin {name} that shows how long it takes"
files.source = "{source}"
"""
# The peers, one after the other, as a script of somebody who has no tool for the whole would call them.
SCRIPT = """
set -e
xargs -a "$1" -P2 -L1 "$2" package
cd "$3"
apt-ftparchive packages . >Packages
gzip -k Packages
apt-ftparchive release . >.Release
mv .Release Release
gpg --batch --quiet --yes --clear-sign --output InRelease Release
createrepo_c --quiet --no-database .
gpg --batch --quiet --yes --armor --detach-sign repodata/repomd.xml
"""


def whole(plan: Plan) -> list[Row]:
    """Many small plugins, and a core with plugins of middle size."""
    small, middle = plan.work / "whole-small", plan.work / "whole-code"
    smalls = workload.plugins(small / "project", plan.smalls, plan.small, plan.small)
    middles = workload.plugins(middle / "project", plan.plugins, plan.plugin, plan.core, text="code")
    return [
        _row(plan, small, f"{plan.smalls} small plugins", smalls),
        _row(plan, middle, f"core + {plan.plugins} plugins, code", middles),
    ]


def _row(plan: Plan, base: Path, name: str, items: Sequence[workload.Item]) -> Row:
    """base: with `project`, in which the items' files lie."""
    project, home, theirs = base / "project", base / "gnupg", base / "nfpm"
    home.mkdir(mode=0o700)
    program = items[0].files[0][1]
    # As something that machines start; nobody does.
    program.write_bytes(b"#!/bin/sh\n" + program.read_bytes())
    (project / "mkpkgs.toml").write_text(_project(items))
    environment = {**os.environ, "MKPKGS_KEYS": str(base / "keys"), "SOURCE_DATE_EPOCH": str(workload.TIME)}
    environment |= {"GNUPGHOME": str(home), "PYTHONPATH": str(scenarios.ROOT)}
    command = (sys.executable, "-m", "packaging_tool")
    key = base / "keys/repository.key"
    for argv in ((*command, "key", "new"), ("gpg", "--batch", "--quiet", "--import", str(key))):
        measure.once(Contestant("prepare", argv, cwd=project, env=environment))
    arguments = workload.nfpm_arguments(items, SPEC, base / "configs", theirs, key)

    def anew() -> None:
        for directory in (project / "dist", project / ".mkpkgs"):
            scenarios.empty(directory)

    script = ("sh", "-c", SCRIPT, "sh", str(arguments), str(peers.nfpm()), str(theirs))
    ours = Contestant("mkpkgs", (*command, "-q"), anew, project, environment)
    peer = Contestant("the peers", script, lambda: scenarios.empty(theirs), base, environment)
    try:
        measure.once(ours)
        own, others = measure.in_turn([ours, peer], plan.small_runs)
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], env=environment, check=True)
    # The package for authors is the one that the peers do not make.
    verify.apt(project / "dist/apt/dists", len(items) + 1)
    verify.yum(project / "dist/yum/repodata", len(items) + 1)
    verify.apt(theirs, len(items))
    verify.yum(theirs / "repodata", len(items))
    note = "nfpm two at a time, apt-ftparchive, createrepo_c, gpg; the last sync to the disk is in ours alone"
    return Row(f"all of {name}, {SPEC}, signed", own, others, measure.ratios(own, others), note=note)


def _project(items: Sequence[workload.Item]) -> str:
    core, *plugins = items
    text = HEAD.format(program=_source(core))
    return text + "".join(
        PLUGIN.format(name=item.name.removeprefix("bench-plugin-"), source=_source(item)) for item in plugins
    )


def _source(item: workload.Item) -> str:
    return item.files[0][1].name
