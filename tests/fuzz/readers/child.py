"""`python -m tests.fuzz.readers.child TARGET SEEDS [option of libFuzzer …]`: one target in a process of its own.

libFuzzer ends the process that it runs in. SEEDS: a folder that gets the seeds, and to which it adds what it finds.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from pathlib import Path
from typing import Any

# What is compiled for coverage: our own code, and the parsers of Python's library that it stands on.
INSTRUMENTED = ["packaging_tool", "tomllib", "gzip"]


def main() -> None:
    """Fuzz until libFuzzer has enough, or a fault is found; then the traceback is on stderr and the status is not 0."""
    name, folder, *options = sys.argv[1:]
    # Without stubs, and not there on every machine.
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=INSTRUMENTED):
        target = importlib.import_module("tests.fuzz.readers.every").TARGETS[name]
        seeds = Path(folder)
        for data in (*target.seeds(), *target.kept().values()):
            (seeds / hashlib.sha256(data).hexdigest()).write_bytes(data)
            # Modules that are imported when they are first needed are so instrumented too.
            target.judge(data)
    words = ["".join(f"\\x{byte:02x}" for byte in word) for word in target.words]
    (seeds.parent / "words").write_text("".join(f'"{word}"\n' for word in words))
    if words:
        # An empty one would be an error.
        options.append(f"-dict={seeds.parent / 'words'}")
    atheris.Setup(["fuzz", str(seeds), f"-max_len={target.longest}", *options], target.judge_quietly)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
