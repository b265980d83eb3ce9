"""YAML of others with the lines of its keys, and all that is wrong with it in one go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging_tool.errors import InputError, MkpkgsError, Problem, ProjectError
from packaging_tool.project.faults import did_you_mean

# Files that people write are far below. Values are counted where they stand, so aliases cannot make endless many.
LARGEST, MOST, DEEPEST = 1 << 20, 50_000, 20


@dataclass(frozen=True, slots=True)
class Value:
    """A value with its place. raw: a text as it stands in the file, a list or a dict of Values, or None."""

    raw: str | list[Value] | dict[str, Value] | None
    line: int
    key: str


class Reader:
    """Reads one file. problems: what was found wrong so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self._values = 0

    def load(self) -> Value:
        """The whole file. Raises InputError, ProjectError, OSError; MkpkgsError if there is no PyYAML."""
        try:
            import yaml
        except ImportError:
            raise MkpkgsError(
                "to read YAML, PyYAML is needed",
                hint="install python3-yaml (Debian), python3-pyyaml (EL, Fedora), or pip install 'mkpkgs[yaml]'",
            ) from None
        data = self.path.read_bytes()
        if len(data) > LARGEST:
            raise InputError(f"{self.path} has {len(data)} bytes, {LARGEST} are read")
        try:
            # The composer only: nothing is constructed, so a text such as 1.10 stays one.
            return self._value(yaml.compose(data.decode("utf-8-sig"), Loader=yaml.SafeLoader), "", 0)
        except UnicodeDecodeError as error:
            raise InputError(f"{self.path}: not UTF-8 text: {error.reason} at byte {error.start}") from None
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            mark = getattr(error, "problem_mark", None)
            what = getattr(error, "problem", None) or str(error).partition("\n")[0] or "nested too deeply"
            line = mark.line + 1 if mark else 0
            raise ProjectError([Problem(str(self.path), line, "", f"not YAML: {what}")]) from None

    def _value(self, node: object, key: str, depth: int) -> Value:
        import yaml

        if node is None:
            return Value(None, 1, key)
        self._values += 1
        if depth > DEEPEST or self._values > MOST:
            raise ValueError("nested too deeply, or too many values")
        if isinstance(node, yaml.MappingNode):
            found: dict[str, Value] = {}
            for name, value in node.value:
                text = str(name.value) if isinstance(name, yaml.ScalarNode) else "?"
                if text in found:
                    self.add(Value(None, name.start_mark.line + 1, _join(key, text)), "stands here twice", "keep one")
                inner = self._value(value, _join(key, text), depth + 1)
                found[text] = Value(inner.raw, name.start_mark.line + 1, inner.key)
            return Value(found, node.start_mark.line + 1, key)
        if isinstance(node, yaml.SequenceNode):
            items = [self._value(item, f"{key}[{number}]", depth + 1) for number, item in enumerate(node.value)]
            return Value(items, node.start_mark.line + 1, key)
        if not isinstance(node, yaml.ScalarNode):
            raise ValueError("of another kind of node")
        empty = node.tag == "tag:yaml.org,2002:null"
        return Value(None if empty else str(node.value), node.start_mark.line + 1, key)

    def add(self, at: Value, what: str, instead: str = "") -> None:
        """Note a problem."""
        self.problems.append(Problem(str(self.path), at.line, at.key, what, instead))

    def stop(self) -> None:
        """Raise ProjectError if there are problems."""
        if self.problems:
            raise ProjectError(self.problems)

    def table(self, value: Value | None, known: tuple[str, ...]) -> dict[str, Value]:
        """The keys of a mapping; others than the known are problems."""
        if value is None or value.raw is None:
            return {}
        if not isinstance(value.raw, dict):
            self.add(value, "must be a mapping")
            return {}
        for name, item in value.raw.items():
            if name not in known:
                self.add(item, "is no key that is known here", did_you_mean(name, known))
        return value.raw

    def items(self, value: Value | None) -> Iterator[Value]:
        """The items of a list."""
        if value is None or value.raw is None:
            return
        if isinstance(value.raw, list):
            yield from value.raw
        else:
            self.add(value, "must be a list")

    def text(self, value: Value | None) -> str:
        """A text, "" where there is none."""
        if value is None or value.raw is None:
            return ""
        if not isinstance(value.raw, str):
            self.add(value, "must be a text")
            return ""
        return value.raw.strip()

    def is_true(self, value: Value | None) -> bool:
        """A truth value, false where there is none."""
        text = self.text(value).lower()
        if text not in ("", "true", "false", "yes", "no", "on", "off") and value is not None:
            self.add(value, "must be true or false")
        return text in ("true", "yes", "on")


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
