"""`python -m tests.fuzz.readers.child FOLDER TARGETS [option of libFuzzer …]`: targets, parted by commas, one by one.

libFuzzer ends the process that it runs in, so each target has a fork of this one, which has all modules already. Its
seeds, what libFuzzer says, and the status at the end are left in FOLDER/TARGET.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import Any

# What is compiled for coverage: our own code, and the parsers of Python's library that it stands on.
INSTRUMENTED = ["packaging_tool", "tomllib", "gzip"]


def main() -> None:
    """Fuzz each target until libFuzzer has enough, or finds a fault."""
    place, names, *options = sys.argv[1:]
    # Without stubs, and not there on every machine.
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=INSTRUMENTED):
        targets = importlib.import_module("tests.fuzz.readers.every").TARGETS
        for name in names.split(","):
            folder = Path(place, name)
            if (process := os.fork()) == 0:
                _fuzz(atheris, targets[name], folder, options)
            status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            (folder / "status").write_text(str(status))


def _fuzz(atheris: Any, target: Any, folder: Path, options: list[str]) -> None:
    """In the fork: never comes back."""
    seeds = folder / "seeds"
    seeds.mkdir(parents=True)
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        for data in (*target.seeds(), *target.kept().values()):
            (seeds / hashlib.sha256(data).hexdigest()).write_bytes(data)
            # Modules that are imported when they are first needed are so instrumented too.
            target.judge(data)
        options = [*options, f"-max_len={target.longest}", f"-artifact_prefix={folder}/"]
        if target.words:
            words = ["".join(f"\\x{byte:02x}" for byte in word) for word in target.words]
            (folder / "words").write_text("".join(f'"{word}"\n' for word in words))
            options.append(f"-dict={folder / 'words'}")
    except Exception:
        traceback.print_exc()
        os._exit(1)
    atheris.Setup(["fuzz", str(seeds), *options], target.judge_quietly)
    # Ends the process, after a fault by an exit that leaves the input.
    atheris.Fuzz()


if __name__ == "__main__":
    main()
