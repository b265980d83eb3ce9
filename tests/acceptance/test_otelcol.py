"""An OpenTelemetry Collector: plugins add their factories in main, and data goes through them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import roots
from tests.systems import Apt
from tests.workspace import Workspace

pytestmark = pytest.mark.acceptance

EXAMPLE = Path(__file__).parent.parent.parent / "examples/otelcol"
MADE = ("mkpkgs.toml", "config.yaml", "server/go.mod", "server/main.go")
PLAIN = """
receivers: {otlp: {protocols: {http: {endpoint: 127.0.0.1:4318}}}}
exporters: {debug: {verbosity: detailed}}
service:
  telemetry: {metrics: {level: none}}
  pipelines: {logs: {receivers: [otlp], exporters: [debug]}}
"""
THROUGH = """
receivers: {otlp: {protocols: {http: {endpoint: 127.0.0.1:4318}}}}
processors:
  resource: {attributes: [{key: datacenter, value: Atlantis, action: upsert}]}
exporters: {debug: {verbosity: detailed}, file: {path: /var/lib/otelcol/logs.json}}
service:
  telemetry: {metrics: {level: none}}
  pipelines: {logs: {receivers: [otlp], processors: [resource], exporters: [debug, file]}}
"""


@pytest.fixture(scope="module")
def project(shared: Path) -> Workspace:
    """The example, built for apt and dnf."""
    with roots.locked(shared / "otelcol.lock"):
        if not (shared / "otelcol").exists():
            Workspace.create(EXAMPLE, shared / "otelcol-making").quick().mkpkgs()
            (shared / "otelcol-making").rename(shared / "otelcol")
    return Workspace.at(shared / "otelcol")


@pytest.fixture(scope="class")
def debian(bootable: None, project: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apt]:
    with Apt(project.dist, tmp_path_factory.mktemp("otelcol") / "machine", "otelcol") as system:
        system.use()
        yield system


def send(system: Apt, words: str) -> None:
    """One log record by OTLP over HTTP, as JSON."""
    record = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": words}}]}]}]}
    system.write("/root/record.json", json.dumps(record))
    retry = ("--retry", "20", "--retry-connrefused", "--retry-delay", "1", "--max-time", "30")
    header = ("-H", "Content-Type: application/json", "--data", "@/root/record.json")
    answer = system.run("curl", "-sf", *retry, *header, "http://127.0.0.1:4318/v1/logs").stdout
    assert json.loads(answer) == {"partialSuccess": {}}


def printed(system: Apt, words: str) -> str:
    """What the debug exporter printed, once these words are in it."""
    for _ in range(50):
        said = system.sh("journalctl --sync; journalctl -u otelcol -o cat")
        if words in said:
            return said
        time.sleep(0.2)
    raise AssertionError(f"{words!r} did not come out: {said}")


def configure(system: Apt, text: str) -> None:
    system.write("/etc/otelcol/config.yaml", text)
    system.run("systemctl", "restart", "otelcol")


class TestCollector:
    """One machine; each test begins where the one before ended."""

    def test_core_alone_receives_and_prints(self, debian: Apt) -> None:
        debian.install("otelcol")
        configure(debian, PLAIN)
        send(debian, "a plain word")
        assert "Body: Str(a plain word)" in printed(debian, "a plain word")
        assert debian.run("otelcol", "validate", "--config=yaml:processors::resource:", check=False).returncode != 0

    def test_two_plugins_are_one_restart_and_data_goes_through_both(self, debian: Apt) -> None:
        starts = debian.starts()
        debian.install(*debian.plugin("resourceprocessor", "fileexporter"))
        assert debian.starts() == starts + 1
        shown = debian.sh("otelcol components")
        assert "opentelemetry-collector-contrib/exporter/fileexporter v0.165.0" in shown
        configure(debian, THROUGH)
        send(debian, "through both")
        assert "datacenter: Str(Atlantis)" in printed(debian, "through both")
        written = debian.sh(
            "for i in $(seq 50); do grep -s 'through both' /var/lib/otelcol/logs.json && break; sleep 0.2; done"
        )
        assert '{"key":"datacenter","value":{"stringValue":"Atlantis"}}' in written

    def test_program_is_that_of_go_build(self, debian: Apt, project: Workspace) -> None:
        """The build side had `go build` make the same main, and compared; here are its bytes on the machine."""
        (built,) = project.root.glob(".mkpkgs/go-link/amd64/all")
        debian.put(built, "/root/built")
        debian.run("cmp", "/root/built", "/usr/lib/otelcol/bin/otelcol")

    def test_plugin_that_the_configuration_needs_serves_on_after_its_removal(self, debian: Apt) -> None:
        done = debian.remove(*debian.plugin("resourceprocessor"))
        assert "resource" in done.stdout
        send(debian, "still here")
        printed(debian, "still here")
        assert debian.run("otelcol-plugins", "status", check=False).returncode == 1
        debian.install(*debian.plugin("resourceprocessor"))
        assert debian.run("otelcol-plugins", "status").returncode == 0


def test_example_is_what_import_makes_of_its_builder_file(tmp_path: Path) -> None:
    shutil.copyfile(EXAMPLE / "builder-config.yaml", tmp_path / "builder-config.yaml")
    environment = {
        **os.environ,
        "PYTHONPATH": str(EXAMPLE.parent.parent),
        "DEBFULLNAME": "OpenTelemetry Packagers",
        "DEBEMAIL": "packages@example.com",
    }
    command = [sys.executable, "-m", "packaging_tool", "import", "builder-config.yaml"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    assert {name: (tmp_path / name).read_text() for name in MADE} == {
        name: (EXAMPLE / name).read_text() for name in MADE
    }
    assert subprocess.run(["gofmt", "-l", "."], cwd=tmp_path, capture_output=True, text=True, check=True).stdout == ""
