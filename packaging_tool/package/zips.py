"""ZIP archives that others made: wheels and modules of Go."""

from __future__ import annotations

import zipfile
import zlib

# What zipfile raises for an archive that is damaged, encrypted, or packed by a method that it does not know.
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)
