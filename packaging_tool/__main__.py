"""Entry point of the `mkpkgs` command."""

import gc
import sys

# So many new objects at least between two searches for cycles. Python's 700 suit programs that run for long; here,
# modules and packages to come are made and stay, and to look through them again and again took a tenth of the start.
SEARCHED = 100_000


def be_patient() -> None:
    """Let the collector of cycles run less often."""
    gc.set_threshold(SEARCHED)


def main() -> None:
    """Run the command line; exits with 0, 1 (something failed), 2 (bad input) or 130 (Ctrl-C)."""
    be_patient()
    try:
        from packaging_tool.cli.main import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        # While modules were loaded.
        sys.stderr.write("mkpkgs: error: interrupted; the output directory is as it was\n")
        code = 130
    # Nothing is left to find when Python looks through all objects once more at its end.
    gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    main()
