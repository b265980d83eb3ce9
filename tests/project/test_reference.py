"""The reference page is made from the types and is current."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from packaging_tool import registry
from packaging_tool.project import model, reference, schema

ROOT = Path(__file__).parent.parent.parent
TABLES = [
    model.CoreSpec,
    model.ServiceSpec,
    model.ChangeSpec,
    model.PluginSpec,
    model.FileSpec,
    model.RelationSet,
    model.RepositorySpec,
    *(
        getattr(registry.load("drivers", name), options)
        for name in registry.own("drivers")
        for options in ("CoreOptions", "PluginOptions")
    ),
]


def test_docs_reference_is_what_the_types_say() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "packaging_tool.project.reference"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert (ROOT / "docs/reference.md").read_text() == done.stdout, "run: make reference"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: f"{table.__module__}.{table.__name__}")
def test_every_key_has_a_text(table: type) -> None:
    texts = schema.docs(table)
    silent = {"name"} if table is model.PluginSpec else set()
    relations = set(reference.RELATIONS) if table is not model.RelationSet else set()
    assert {field.name for field in dataclasses.fields(table)} - silent - relations <= set(texts)


def test_every_key_is_on_the_page() -> None:
    page = reference.reference()
    for table in TABLES:
        for name in schema.keys(table):
            assert f"`{name}`" in page
