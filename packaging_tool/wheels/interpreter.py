"""The system's Python, which runs server and plugins."""

from __future__ import annotations

from packaging_tool.package.model import Alternatives, Relation
from packaging_tool.wheels.pip import Platform


def path(python: str) -> str:
    """The program. python: a version, with a `+` that or a newer one."""
    return "/usr/bin/python3" if python.endswith("+") else f"/usr/bin/python{python}"


def depends(platform: Platform) -> dict[str, tuple[Alternatives, ...]]:
    """Relations on the interpreter."""
    oldest = Relation("python3", ">=", platform.version)
    if platform.tag == "py3":
        return {"deb": ((oldest,),), "rpm": ((oldest,),)}
    major, minor = platform.version.split(".")
    below = Relation("python3", "<", f"{major}.{int(minor) + 1}")
    return {"deb": ((oldest,), (below,)), "rpm": ((Relation("python(abi)", "=", platform.version),),)}
