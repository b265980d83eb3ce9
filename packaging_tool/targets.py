"""The distribution releases that packages are made for, and what each can read. The only table of such facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Release:
    """One distribution release.

    format: package format. compressions: methods that its package manager unpacks, best default first.
    ed25519: its openssl (3.0 and later: `pkeyutl -rawin`) checks Ed25519 from a shell script.
    rsa_only: its rpm reads no EdDSA in OpenPGP signatures (before 4.16 with libgcrypt).
    systemd: version; Type=notify-reload needs 253. glibc: version of the C library. glibcxx: newest version
    of symbols of the C++ library. suite: its name in Debian's or Ubuntu's archive, "" where there is none.
    """

    format: str
    compressions: tuple[str, ...]
    ed25519: bool = True
    rsa_only: bool = False
    systemd: int = 252
    glibc: str = "2.36"
    glibcxx: str = "3.4.30"
    suite: str = ""


# lintian 2.116 calls every .deb with zstd malformed, also for Ubuntu, so gzip stands first although all releases but
# Debian 11 read zstd (dpkg 1.21.18, apt 2.1.9). rpm reads zstd since 4.14.
TARGETS: Mapping[str, Release] = {
    "debian11": Release(
        "deb", ("gzip", "xz", "none"), ed25519=False, systemd=247, glibc="2.31", glibcxx="3.4.28", suite="bullseye"
    ),
    "debian12": Release("deb", ("gzip", "xz", "zstd", "none"), glibc="2.36", suite="bookworm"),
    "debian13": Release(
        "deb", ("gzip", "xz", "zstd", "none"), systemd=257, glibc="2.41", glibcxx="3.4.33", suite="trixie"
    ),
    "ubuntu22.04": Release("deb", ("gzip", "xz", "zstd", "none"), systemd=249, glibc="2.35", suite="jammy"),
    "ubuntu24.04": Release(
        "deb", ("gzip", "xz", "zstd", "none"), systemd=255, glibc="2.39", glibcxx="3.4.33", suite="noble"
    ),
    "el8": Release(
        "rpm", ("zstd", "xz", "gzip", "none"), ed25519=False, rsa_only=True, systemd=239, glibc="2.28", glibcxx="3.4.25"
    ),
    "el9": Release("rpm", ("zstd", "xz", "gzip", "none"), glibc="2.34", glibcxx="3.4.29"),
    "el10": Release("rpm", ("zstd", "xz", "gzip", "none"), systemd=257, glibc="2.39", glibcxx="3.4.33"),
    "fedora": Release("rpm", ("zstd", "xz", "gzip", "none"), systemd=256, glibc="2.40", glibcxx="3.4.33"),
}

# Versions of Python that each has, its python3 first.
PYTHONS: Mapping[str, tuple[str, ...]] = {
    "debian11": ("3.9",),
    "debian12": ("3.11",),
    "debian13": ("3.13",),
    "ubuntu22.04": ("3.10",),
    "ubuntu24.04": ("3.12",),
    "el8": ("3.6", "3.9", "3.11", "3.12"),
    "el9": ("3.9", "3.11", "3.12"),
    "el10": ("3.12",),
    "fedora": ("3.13", "3.9", "3.10", "3.11", "3.12", "3.14"),
}

# What follows the name of a package in the name of the one with its debug information.
DEBUG_SUFFIXES = {"deb": "-dbgsym", "rpm": "-debuginfo"}

# A level where a method has no level in the project file: small enough to publish, fast enough for every build.
LEVELS = {"gzip": 6, "xz": 6, "zstd": 9, "none": 0}
LIMITS = {"gzip": (1, 9), "xz": (0, 9), "zstd": (1, 19), "none": (0, 0)}


def here() -> str:
    """The release that this machine has, "" if it is none of them."""
    import platform  # most runs do not ask

    try:
        said = platform.freedesktop_os_release()
    except OSError:
        return ""
    # Red Hat's and its rebuilds' have a name for what they have in common: platform:el9.
    shared = said.get("PLATFORM_ID", "").partition(":")[2]
    names = (f"{said['ID']}{said.get('VERSION_ID', '')}", shared, said["ID"])
    return next((name for name in names if name in TARGETS), "")


def formats(targets: Sequence[str]) -> tuple[str, ...]:
    """The package formats of these targets, sorted."""
    return tuple(sorted({TARGETS[name].format for name in targets}))


def default_compression(format_name: str, targets: Sequence[str]) -> str:
    """`method:level` that all targets of the format read."""
    wanted = [TARGETS[name] for name in targets if TARGETS[name].format == format_name]
    method = next(m for m in wanted[0].compressions if all(m in release.compressions for release in wanted))
    return f"{method}:{LEVELS[method]}"


def unfit_keys(targets: Sequence[str], repository: str, manifest: str) -> list[str]:
    """What these targets cannot check, a phrase each. repository, manifest: kinds of the keys; empty if all fits."""
    wanted = {name: TARGETS[name] for name in targets}
    old = [name for name, release in wanted.items() if release.rsa_only]
    older = [name for name, release in wanted.items() if not release.ed25519]
    found = []
    if old and not repository.startswith("rsa"):
        found.append(f"rpm of {', '.join(old)} reads no repository key of kind {repository}, only rsa4096")
    if older and manifest == "ed25519":
        found.append(f"openssl of {', '.join(older)} checks no manifest key of kind {manifest}, only ecdsa-p256")
    return found


def key_kinds(targets: Sequence[str]) -> tuple[str, str]:
    """Kinds of the repository key and of the manifest key that all these targets can check."""
    wanted = [TARGETS[name] for name in targets]
    repository = "rsa4096" if any(release.rsa_only for release in wanted) else "ed25519"
    return repository, "ed25519" if all(release.ed25519 for release in wanted) else "ecdsa-p256"
