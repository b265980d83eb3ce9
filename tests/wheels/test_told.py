"""What pip says is told in words of the project. The judge is pip itself: each text comes from a real run."""

from __future__ import annotations

from pathlib import Path

import pytest

from packaging_tool.errors import CommandError
from packaging_tool.wheels import pip, told
from packaging_tool.wheels.pip import Platform
from tests.drivers.test_python import wheel
from tests.wheels.index import serving

ANY = Platform("3.9+", "all", "2.28")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (place := tmp_path / "index").mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(place))
    wheel(place, "paper", "1")
    wheel(place, "paper", "2")
    wheel(place, "ink", requires=("paper==1",))
    wheel(place, "glue", requires=("paper==2",))
    wheel(place, "book", requires=("binding>=3",))
    wheel(place, "modern", "2.0", python=">=3.30")
    wheel(place, "compiled", tag="cp311-cp311-win_amd64")
    return place


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (("nosuch",), "the project wants nosuch, and {index} has no wheel of it for the targets ({python})"),
        (("compiled",), "the project wants compiled, and {index} has no wheel of it for the targets ({python})"),
        (("paper==9",), "the project wants paper==9, and {index} has wheels for the targets ({python}) of 1, 2 only"),
        (("book",), "book needs binding>=3, and {index} has no wheel of it for the targets ({python})"),
        (("ink", "glue"), "these do not go together: ink 1.0 needs paper==1; glue 1.0 needs paper==2"),
        (("ink", "paper==2"), "these do not go together: the project wants paper==2; ink 1.0 needs paper==1"),
        (("modern",), "modern needs Python >=3.30, and the targets have 3.9"),
    ],
)
def test_requirements_that_cannot_be_met_are_told_without_pips_words(
    index: Path, wanted: tuple[str, ...], said: str
) -> None:
    with pytest.raises(CommandError) as raised:
        pip.resolve(wanted, ANY)
    assert raised.value.message == said.format(index=index, python="Python 3.9+, so without compiled code")
    assert raised.value.hint
    assert "pip" not in raised.value.message + raised.value.output


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("setup.py", "raise SystemExit('I need a compiler')", "does not build into a wheel: I need a compiler"),
        ("pyproject.toml", '[build-system]\nrequires = []\nbuild-backend = "nosuch"\n', "No module named 'nosuch'"),
        ("pyproject.toml", "[project\n", "pyproject.toml: Expected ']' at the end of a table declaration"),
    ],
)
def test_a_folder_that_does_not_build_is_told_by_its_own_path_and_words(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    (folder := tmp_path / "server").mkdir()
    (folder / name).write_text(text)
    with pytest.raises(Exception, match=str(folder)) as raised:
        pip.build(folder, tmp_path / "cache", None, isolated="[project" in text)
    assert said in str(raised.value)


def test_all_places_that_pip_looked_at_are_told(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip does not name its own index beside a folder."""

    def said() -> str:
        with pytest.raises(CommandError) as raised:
            pip.resolve(["nosuch"], ANY)
        return raised.value.message

    with serving(tmp_path) as web:
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.setenv("PIP_INDEX_URL", web.url)
        monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
        assert f"wants nosuch, and {web.url} and {index} have no wheel of it" in said()
        # The same, as pip prints it of the index that it has by itself.
        printed = f"Looking in links: {index}\n"
        missing = "ERROR: Could not find a version that satisfies the requirement nosuch (from versions: none)"
        known = told.plain(["install"], printed, missing)
        assert known is not None
        assert f"{told.DEFAULT} and {index} have no wheel of it" in known.message
        monkeypatch.delenv("PIP_INDEX_URL")
        (tmp_path / "pip.conf").write_text("[global]\nno-index = no\n[install]\nno_index = yes\n")
        assert f"and {index} has no wheel of it" in said()
        monkeypatch.delenv("PIP_FIND_LINKS")
        assert said().endswith("pip is to look nowhere: its settings say no-index, and no find-links")


def test_what_an_index_answers_holds_nobody_up() -> None:
    """Each pair of quotes took four times as long, and so did each line that a backend left empty."""
    for answer in ("Aborted" + "'" * 5000 + "!", "A" * 5000 + "!", "Bad ('" * 1000):
        said = f"after connection broken by '{answer}': /simple/foo/\nERROR: No matching distribution found for foo\n"
        assert "cannot be reached" in str(told._unreached(said, "the index"))
        told._FRAMED.search("[1 lines of output]\n" + "\n" * 20_000 + " " * 20_000)
