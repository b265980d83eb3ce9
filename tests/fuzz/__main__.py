"""`python -m tests.fuzz WHAT`: random tests that run longer than the others. 0 if no fault was found."""

from __future__ import annotations

import argparse
import sys

from tests.fuzz import deaths, kills, packed, transactions
from tests.fuzz.agreement import run as agreement
from tests.fuzz.readers import run as readers

PARTS = (
    ("kills", kills, "runs of mkpkgs that are killed at random times"),
    ("transactions", transactions, "transactions of apt and dnf that are cut off, in booted systems"),
    ("deaths", deaths, "plugins with which the server dies some time after its start, on a loaded machine"),
    ("packed", packed, "random projects that are packed, installed, looked at and purged, in booted systems"),
    ("readers", readers, "random bytes, guided by coverage, for each reader of foreign files"),
    ("agreement", agreement, "files that are nearly right, for all readers of one format: they must read the same"),
)


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parts = parser.add_subparsers(dest="part", required=True, metavar="WHAT")
    for name, module, what in PARTS:
        part = parts.add_parser(
            name,
            help=what,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.arguments(part)
        part.set_defaults(main=module.main)
    options = parser.parse_args()
    status: int = options.main(options)
    return status


if __name__ == "__main__":
    sys.exit(main())
