"""Files of a project at places that the target guards, or above them, must be such as the target takes."""

from __future__ import annotations

from collections.abc import Iterator

from packaging_tool.package import guarded
from packaging_tool.project.model import FileSpec, Project


def findings(project: Project, spec: FileSpec, place: str) -> Iterator[tuple[str, str, str]]:
    """Key, what is wrong and what to write for an entry. place: where it goes."""
    core = project.core
    config = core.config_directory or f"/etc/{core.name}"
    ours, others = (
        guarded.places(core.name, project.plugins_directory, config, of)
        for of in (guarded.OURS, guarded.ADMINISTRATORS)
    )
    above = any(f"{guard}/".startswith(f"{place}/") for guard in ours)
    if not above and not any(f"{place}/".startswith(f"{guard}/") for guard in others):
        return
    mode = int(spec.mode, 8) if spec.mode else 0
    if what := guarded.fault(spec.type, spec.owner, mode):
        key = "type" if "where only" in what else "owner" if "belongs" in what else "mode"
        yield key, f"{place} {what}: the target guards it", "choose another place for it, or leave this out"
