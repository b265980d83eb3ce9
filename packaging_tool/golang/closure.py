"""Import graphs: what a package needs, why it needs it, and which of that a plugin has to bring."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from packaging_tool.errors import BuildError
from packaging_tool.golang.toolchain import GoPackage


@dataclass(frozen=True, slots=True)
class Parts:
    """Who brings which packages: import paths, sorted. plugins: by plugin name, only what nothing else there brings."""

    core: tuple[str, ...]
    plugins: Mapping[str, tuple[str, ...]]


def closure(packages: Mapping[str, GoPackage], roots: Iterable[str]) -> dict[str, GoPackage]:
    """All packages that the roots need, the roots too."""
    found: dict[str, GoPackage] = {}
    waiting = list(roots)
    while waiting:
        path = waiting.pop()
        if path in found or path not in packages:
            continue
        found[path] = packages[path]
        waiting.extend(packages[path].imports)
    return found


def chain(
    packages: Mapping[str, GoPackage], start: str, end: str, within: Collection[str] | None = None
) -> Sequence[str]:
    """A shortest chain of imports from start to end, both included. within: only over these packages (and start)."""
    came: dict[str, str] = {start: ""}
    waiting = deque([start])
    while waiting and end not in came:
        path = waiting.popleft()
        for other in packages[path].imports if path in packages else ():
            if other not in came and (within is None or other in within):
                came[other] = path
                waiting.append(other)
    if end not in came:
        return (start, end)
    links = [end]
    while came[links[-1]]:
        links.append(came[links[-1]])
    return tuple(reversed(links))


def divide(
    packages: Mapping[str, GoPackage],
    core: Iterable[str],
    plugins: Mapping[str, tuple[str, ...]],
    needs: Mapping[str, tuple[str, ...]],
) -> Parts:
    """Divide all packages between core and plugins.

    core: import paths of the core's main. plugins: by name, import paths that the plugin's line in main.go imports.
    needs: by name, other plugins that are there whenever this one is. What two plugins want that do not need each
    other is in both. Raises BuildError if a plugin would bring another one along unsaid.
    """
    # The linker adds the runtime to every program, whoever imports it.
    in_core = closure(packages, [*core, "runtime"])
    whole = {name: closure(packages, paths) for name, paths in plugins.items()}
    parts: dict[str, tuple[str, ...]] = {}
    for name in plugins:
        needed = _all_needs(name, needs)
        for other in plugins.keys() - needed - {name}:
            for path in plugins[other]:
                if path in whole[name]:
                    raise BuildError(
                        f"plugin {name} imports {path}, which is plugin {other}:"
                        f" {' imports '.join(chain(packages, plugins[name][0], path))}",
                        hint=f'write needs = ["{other}"] in [plugin.{name}]',
                    )
        taken = set(in_core).union(*(whole[other] for other in needed if other in whole))
        parts[name] = tuple(sorted(whole[name].keys() - taken))
    return Parts(tuple(sorted(in_core)), parts)


def _all_needs(name: str, needs: Mapping[str, tuple[str, ...]]) -> set[str]:
    found: set[str] = set()
    waiting = list(needs.get(name, ()))
    while waiting:
        other = waiting.pop()
        if other not in found and other != name:
            found.add(other)
            waiting.extend(needs.get(other, ()))
    return found
