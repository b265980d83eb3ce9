"""Entry point of the `mkpkgs` command."""

import sys


def main() -> None:
    """Run the command line; exits with 0, 1 (something failed), 2 (bad input) or 130 (Ctrl-C)."""
    from packaging_tool.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
