"""What a requirement comes to among wheels that were resolved together: the markers of the target decide (PEP 508)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from packaging_tool.errors import BuildError
from packaging_tool.wheels.pip import Platform
from packaging_tool.wheels.wheel import Wheel, normal


def find(requires: Sequence[str], wheels: Mapping[str, Wheel], platform: Platform, without: Sequence[str]) -> list[str]:
    """Names of the wheels that requirements need, sorted. wheels: by name.

    pip judges markers by the Python that it runs with; so what a target needs more is missing here. Raises BuildError.
    """
    from packaging.requirements import Requirement

    known = environment(platform)
    left_out = {normal(name) for name in without}
    found: set[tuple[str, str]] = set()
    waiting = [("the project", "", Requirement(text)) for text in requires]
    while waiting:
        who, extra, wanted = waiting.pop()
        if wanted.marker is not None and not wanted.marker.evaluate({**known, "extra": extra}):
            continue
        name = normal(wanted.name)
        if name in left_out:
            continue
        if name not in wheels:
            raise BuildError(
                f"{who} needs {wanted}, which pip did not take, since it judges by the Python that runs it",
                hint="name it in requires, or run mkpkgs with the targets' Python",
            )
        for more in ("", *sorted(wanted.extras)):
            if (name, more) not in found:
                found.add((name, more))
                waiting += [(wheels[name].name, more, Requirement(text)) for text in wheels[name].requires]
    return sorted({name for name, _ in found})


def environment(platform: Platform) -> dict[str, str]:
    """What markers ask for (PEP 508), without `extra`."""
    return {
        "python_version": platform.version,
        "python_full_version": f"{platform.version}.0",
        "implementation_name": "cpython",
        "implementation_version": f"{platform.version}.0",
        "platform_python_implementation": "CPython",
        "os_name": "posix",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": platform.machine if platform.architecture != "all" else "",
        "platform_release": "",
        "platform_version": "",
    }
