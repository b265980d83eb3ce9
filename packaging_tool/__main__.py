"""Entry point of the `mkpkgs` command."""

import sys


def main() -> None:
    """Run the command line; exits with 0, 1 (something failed), 2 (bad input) or 130 (Ctrl-C)."""
    try:
        from packaging_tool.cli.main import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        # While modules were loaded.
        sys.stderr.write("mkpkgs: error: interrupted; the output directory is as it was\n")
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
