"""What the Go code reads that `go-plugin` puts into a core."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from packaging_tool.golang import pieces
from packaging_tool.package.templates import render
from tests.fuzz.agreement.answer import taken
from tests.fuzz.agreement.machines import Laid


def available() -> bool:
    """Whether there is a compiler."""
    return shutil.which("go") is not None


class Opener:
    """A program that is built once, of the files that the driver makes. changes: of their text, for tests."""

    def __init__(self, place: Path, changes: Mapping[str, str] | None = None) -> None:
        folder = place / "opener-judge"
        (folder / "opener/hashes").mkdir(parents=True)
        nowhere = str(folder / "none")
        texts = {
            "go.mod": "module judge\n\ngo 1.21\n",
            "main.go": 'package main\n\nimport "judge/opener"\n\nfunc main() { opener.Judge() }\n',
            "opener/verify.go": render("go-plugin/verify.go.j2"),
            "opener/open.go": render("go-plugin/open.go.j2", module="judge"),
            "opener/files.go": render("go-plugin/files.go.j2"),
            "opener/hashes/hashes.go": render(
                "go-plugin/hashes.go.j2", plugins=nowhere, variable="JUDGE_PLUGINS", piece=pieces.SIZE
            ),
        }
        for old, new in (changes or {}).items():
            assert any(old in text for text in texts.values()), old
            texts = {name: text.replace(old, new) for name, text in texts.items()}
        for name, text in texts.items():
            (folder / name).write_text(text)
        shutil.copyfile(Path(__file__).with_name("judge.go"), folder / "opener/judge.go")
        # It opens no plugin, so that it needs no C compiler.
        env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-trimpath"}
        subprocess.run(["go", "build", "-o", "judge", "."], cwd=folder, check=True, env=env)
        self.program = folder / "judge"

    def read(self, laid: Sequence[Laid]) -> list[str]:
        """What is read of each input."""
        asked = "".join(f"{item.input.format}\t{item.machine}\t{item.name}\n" for item in laid)
        done = subprocess.run([self.program], input=asked, capture_output=True, text=True, check=True)
        return [taken(json.loads(line)) if line[:1] in "{[" else line for line in done.stdout.splitlines()]
