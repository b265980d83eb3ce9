"""What the target guards, as one table: the builder refuses what breaks it, the target tool and go-plugin's Go code are
made with its values, and docs/security.md shows it (a test prints what has to stand there).

Places are words of the target tool, whose variables `places` fills in: LIB and SHARE are /usr/lib/CORE and
/usr/share/CORE, BIN and KIT lie in LIB, PLUGINS is the directory of plugins, CONFIG that of the configuration.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from string import Template

from packaging_tool.package import manifest

# What decides, what runs as root, and what is made on the target.
OURS = (
    *("$BIN", "$KIT", "$PLUGINS", "$LIB/assemble", "$LIB/arrange", "$SHARE/plugins", "$SHARE/keys", "$SHARE/abi"),
    *("$SHARE/trust", "$SHARE/kit.manifest", "$SHARE/kit.manifest.sig"),
)
# Last parts of the names of units in which mkpkgs runs something on the target.
UNITS = ("apply.service", "apply-later@.service", "check.service", "make.service", "try.service", "watch.service")
# Guarded as soon as something lies in them.
ADMINISTRATORS = ("$CONFIG/keys.d", "$CONFIG/plugins.d")
OWNER = "root"
# Bits that no file, directory or directory above may have, and bits that no file may have.
OPEN, LENDING = 0o022, 0o7000
# Bytes of a manifest; of a key, a signature and a list of revoked keys.
LARGEST_MANIFEST, LARGEST = manifest.LARGEST, 64 << 10


def places(core: str, plugins: str, config: str, of: Iterable[str] = (*OURS, *ADMINISTRATORS)) -> tuple[str, ...]:
    """The places of a core. plugins, config: its directories."""
    values: Mapping[str, str] = {
        "LIB": f"/usr/lib/{core}",
        "SHARE": f"/usr/share/{core}",
        "BIN": f"/usr/lib/{core}/bin",
        "KIT": f"/usr/lib/{core}/kit",
        "PLUGINS": plugins,
        "CONFIG": config,
    }
    return tuple(Template(place).substitute(values) for place in of)


def stem(core: str) -> str:
    """What names of such units begin with: systemd.unit(5) has no `+`, names of packages no `_`."""
    return core.replace("+", "_")


def fault(kind: str, owner: str, mode: int) -> str:
    """What is wrong with an entry of a package at such a place or above one, or ""."""
    if kind not in ("file", "config", "doc", "directory"):
        return f"is a {kind}, where only files and directories may be"
    if owner != OWNER:
        return f"belongs to {owner}, and only {OWNER} may change it"
    if mode & OPEN:
        return "can be written by others than root"
    if kind != "directory" and mode & LENDING:
        return "is setuid, setgid or sticky"
    return ""


def page() -> str:
    """The table of docs/security.md."""
    shown = {word: f"`{word[1:].replace('$', '')}`" for word in (*OURS, *ADMINISTRATORS)}
    rows = (
        ("places", ", ".join(shown[word] for word in OURS)),
        ("as soon as something lies there", ", ".join(shown[word] for word in ADMINISTRATORS)),
        ("kinds", "files and directories; no links but those that mkpkgs made, no devices, pipes or sockets"),
        ("owner", f"{OWNER}, also of each directory above"),
        (
            "modes",
            f"nothing of {OPEN:03o}, also of each directory above; of files nothing of {LENDING:o}, no capabilities",
        ),
        ("names of files that manifests have", manifest.NAMES),
        ("other names", "`A-Z a-z 0-9 . _ + -`"),
        ("size of a manifest", f"{LARGEST_MANIFEST >> 20} MB"),
        ("size of a key, a signature, a list of revoked keys", f"{LARGEST >> 10} kB"),
    )
    return "\n".join(("| what is guarded | |", "|---|---|", *(f"| {what} | {rule} |" for what, rule in rows))) + "\n"
