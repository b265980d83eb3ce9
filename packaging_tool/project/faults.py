"""What is wrong with a project file: how rules say it, how it is collected, and what was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

Path = tuple[str | int, ...]


class RuleError(Exception):
    """A value breaks a rule. what: the fault. instead: what to write, or ""."""

    def __init__(self, what: str, instead: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.instead = instead


# Characters of a message: what a value has may be any length, and is shown within it.
LONGEST = 600


@dataclass(slots=True)
class Faults:
    """What is wrong so far.

    found: (path, what, what to write instead). names: paths whose name alone is wrong; what is below still counts.
    """

    found: list[tuple[Path, str, str]] = field(default_factory=list)
    names: set[Path] = field(default_factory=set)
    # Paths of found, and all that is around them: a file may have thousands of faults, and each value asks.
    _at: set[Path] = field(default_factory=set)
    _around: set[Path] = field(default_factory=set)
    _seen: int = 0

    def add(self, path: Path, what: str, instead: str = "") -> None:
        """Note one fault."""
        self.found.append((path, shortened(what), shortened(instead)))

    def add_name(self, path: Path, what: str, instead: str = "") -> None:
        """Note that the name of a table is wrong."""
        self.names.add(path)
        self.add(path, what, instead)

    def covers(self, *path: str | int) -> bool:
        """Whether something at, below or around the path is already known to be wrong."""
        for known, _, _ in self.found[self._seen :]:
            self._at.add(known)
            self._around.update(known[:length] for length in range(len(known) + 1))
        self._seen = len(self.found)
        if path in self._around:
            return True
        outer = (path[:length] for length in range(len(path)))
        return any(one in self._at and one not in self.names for one in outer)


def shortened(text: str) -> str:
    """A text for a message, without the middle of what is very long."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 100]}… {text[-60:]}"


def similar(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, or ""."""
    return _similar(word.lower().replace("_", "-"), tuple(known))


@lru_cache(maxsize=256)
def _similar(word: str, known: tuple[str, ...]) -> str:
    from difflib import get_close_matches  # only the wrong project files need it

    close = get_close_matches(word, known, n=1, cutoff=0.6)
    return close[0] if close else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean "x"?`, or the whole choice where nothing is near."""
    choice = list(known)
    close = similar(word, choice)
    return f"did you mean {close!r}?" if close else f"known: {', '.join(choice)}"
