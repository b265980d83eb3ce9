"""The programs that we are measured against, and how to get them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.bench.measure import BenchError

NFPM = "v2.45.0"
# Program and the Debian package that brings it.
INSTALLED = {
    "apt-ftparchive": "apt-utils",
    "createrepo_c": "createrepo-c",
    "dpkg-deb": "dpkg",
    "gpg": "gpg",
    "rpm": "rpm",
    "xargs": "findutils",
}


def require() -> None:
    """Raise BenchError if a peer that Debian has is missing."""
    missing = sorted({package for program, package in INSTALLED.items() if not shutil.which(program)})
    if missing:
        raise BenchError(f"missing: apt-get install {' '.join(missing)}")


def cache() -> Path:
    """Where the bench keeps what it has built."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mkpkgs-bench"


def nfpm() -> Path:
    """The nfpm program; built from the Go module proxy on first use. Raises BenchError."""
    program = cache() / f"nfpm-{NFPM}"
    if program.is_file():
        return program
    go = shutil.which("go")
    if go is None:
        raise BenchError("missing: Go, to build nfpm; `make setup` installs it")
    print(f"building nfpm {NFPM} into {cache()}", flush=True)
    folder = cache() / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [go, "install", f"github.com/goreleaser/nfpm/v2/cmd/nfpm@{NFPM}"],
        env={**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0"},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise BenchError(f"go install of nfpm failed\n{done.stderr}")
    (folder / "nfpm").replace(program)
    return program
