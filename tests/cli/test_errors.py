"""What a user sees when something is wrong: one clear message, an exit code, and nothing half-written."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from packaging_tool.cli import errors, main, root
from packaging_tool.cli.options import MINIMAL
from packaging_tool.cli.progress import Console
from packaging_tool.cli.text import tell
from packaging_tool.drivers.base import Failure
from packaging_tool.errors import BuildError, CommandError, InputError, Problem, ProjectError, SigningError
from packaging_tool.project.loader import load
from tests.cli.conftest import ROOT, Mkpkgs, environment
from tests.hostile.words import words


def test_without_a_project_file_an_example_is_shown(mkpkgs: Mkpkgs, tmp_path: Path) -> None:
    done = mkpkgs(cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("mkpkgs: error: there is no mkpkgs.toml in this directory\n")
    assert '    name = "hello"\n' in done.stderr


def test_the_example_that_is_shown_works(tmp_path: Path) -> None:
    (tmp_path / "mkpkgs.toml").write_text(MINIMAL)
    (tmp_path / "hello").write_text("#!/bin/sh\n")
    (tmp_path / "german.txt").write_text("Guten Tag\n")
    assert load(tmp_path / "mkpkgs.toml").core.name == "hello"


def test_all_problems_of_a_project_file_are_shown_and_counted(mkpkgs: Mkpkgs) -> None:
    done = mkpkgs("-f", "keys.toml", cwd=ROOT / "tests/samples/bad")
    assert done.returncode == 2
    expected = (ROOT / "tests/samples/bad/keys.expected").read_text()
    count = len(expected.splitlines())
    assert done.stderr == f"{expected}mkpkgs: error: {count} problems in keys.toml\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("pln",), "No such command 'pln'. Did you mean 'plan'?"),
        (("plan", "--jsn"), "--json"),
        (("--jobs", "0"), "Invalid value for '-j' / '--jobs'"),
        (("inspect",), "Missing argument 'FILE...'"),
        (("key", "nw"), "No such command 'nw'"),
    ],
)
def test_a_wrong_command_line_is_told_like_other_errors(
    mkpkgs: Mkpkgs, arguments: tuple[str, ...], message: str
) -> None:
    done = mkpkgs(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("mkpkgs: error: ")
    assert message in done.stderr
    assert "--help` shows" in done.stderr


def report(error: BaseException, capsys: pytest.CaptureFixture[str], *, debug: bool = False) -> tuple[int, str]:
    code = errors.report(error, debug=debug)
    return code, capsys.readouterr().err


def test_each_class_of_errors_has_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(InputError("x"), capsys)[0] == 2
    assert report(ProjectError([Problem("f", 1, "k", "w")]), capsys)[0] == 2
    assert report(BuildError("x"), capsys)[0] == 1
    assert report(SigningError("x"), capsys)[0] == 1
    assert report(OSError(28, "No space left on device", "/x"), capsys)[0] == 1
    assert report(RuntimeError("x"), capsys)[0] == 1
    assert report(KeyboardInterrupt(), capsys)[0] == 130
    assert report(click.Abort(), capsys)[0] == 130


def test_a_full_disk_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    text = report(OSError(28, "No space left on device", "/dist/x.deb"), capsys)[1]
    assert text == "mkpkgs: error: /dist/x.deb: No space left on device\n"


def test_a_known_error_has_hint_and_causes_but_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    error = BuildError("the core does not build", hint="install Go")
    error.__cause__ = ValueError("the reason behind it")
    assert report(error, capsys)[1] == (
        "mkpkgs: error: the core does not build\n  because: the reason behind it\n  hint: install Go\n"
    )


def test_a_cause_that_the_message_tells_already_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    error = BuildError("cannot write x.rpm: No space left on device")
    error.__cause__ = OSError(28, "No space left on device")
    assert report(error, capsys)[1] == "mkpkgs: error: cannot write x.rpm: No space left on device\n"


def test_the_end_of_a_failed_programs_output_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    output = "".join(f"line {number}\n" for number in range(100))
    text = report(CommandError("go failed with status 1: line 99", returncode=1, output=output), capsys)[1]
    assert "  | line 99\n" in text
    assert "line 50" not in text


def test_an_unknown_error_has_a_traceback_and_asks_for_a_report(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ZeroDivisionError("inside")
    except ZeroDivisionError as error:
        text = report(error, capsys)[1]
    assert "Traceback" in text
    assert text.endswith(
        "mkpkgs: error: this is a bug in mkpkgs, not in your project; please report it with the text above\n"
    )


def test_debug_shows_the_traceback_of_every_error(mkpkgs: Mkpkgs, tmp_path: Path) -> None:
    assert "Traceback" not in mkpkgs(cwd=tmp_path).stderr
    assert "Traceback" in mkpkgs("--debug", cwd=tmp_path).stderr
    assert "Traceback" in mkpkgs("plan", "--debug", cwd=tmp_path).stderr


def test_plugins_that_fail_are_named_with_package_and_the_compilers_line(capsys: pytest.CaptureFixture[str]) -> None:
    line = "git.go:12:3: undefined: nothing"
    errors.failures([Failure("git", "example.org/git", f"{line}\n"), Failure("cors", "", "no module\n")])
    assert capsys.readouterr().err == (
        "mkpkgs: error: plugin git does not build in example.org/git:\n"
        f"  {line}\n"
        "mkpkgs: error: plugin cors does not build:\n"
        "  no module\n"
        "mkpkgs: error: 2 plugins failed: cors, git; everything else was built\n"
    )


def test_quiet_says_nothing_but_errors(mkpkgs: Mkpkgs, project: Path) -> None:
    done = mkpkgs("-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (project / "greet").unlink()
    done = mkpkgs("-q")
    assert done.returncode == 2
    assert "there is no file greet" in done.stderr


def test_a_reader_that_goes_away_is_no_error(mkpkgs: Mkpkgs, project: Path, keys: Path) -> None:
    argv = f"{sys.executable} -m packaging_tool plan; echo status $? >&2"
    done = subprocess.run(
        ["bash", "-c", f"({argv}) | head -c 1"],
        cwd=project,
        env=environment(MKPKGS_KEYS=str(keys)),
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in done.stderr
    assert "Broken" not in done.stderr
    assert "status 0\n" in done.stderr


def test_a_closed_stdout_is_no_error(project: Path, keys: Path) -> None:
    for argv in ("--version", "plan"):
        done = subprocess.run(
            ["bash", "-c", f"exec {sys.executable} -m packaging_tool {argv} >&-"],
            cwd=project,
            env=environment(MKPKGS_KEYS=str(keys)),
            capture_output=True,
            text=True,
        )
        assert "Traceback" not in done.stderr


def test_ctrl_c_is_one_line_and_leaves_the_output_as_it_was(project: Path, keys: Path) -> None:
    (project / "plugins/moon/big").write_bytes(os.urandom(60 << 20))
    process = subprocess.Popen(
        [sys.executable, "-m", "packaging_tool"],
        cwd=project,
        env=environment(MKPKGS_KEYS=str(keys)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts what follows an `&` with this signal ignored, and so would be what pytest starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "build greet 1.0 for all\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert err.strip() == "mkpkgs: error: interrupted; the output directory is as it was"
    assert not (project / "dist").exists()
    assert list(project.glob(".dist.*")) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_that_end_programs_leave_nothing_behind(
    project: Path, keys: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """CI ends a job so; a private keyring in /tmp would be the worst of what may stay."""
    (project / "plugins/moon/big").write_bytes(os.urandom(60 << 20))
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "packaging_tool"],
        cwd=project,
        env=environment(MKPKGS_KEYS=str(keys), TMPDIR=str(temporary)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "build greet 1.0 for all\n"
    process.send_signal(number)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + number
    assert err.strip() == "mkpkgs: error: interrupted; the output directory is as it was"
    assert [*temporary.iterdir(), *project.glob("dist"), *project.glob(".dist.*")] == []


def test_an_interruption_that_comes_too_late_says_so(
    project: Path, keys: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("packaging_tool.state.save", interrupted)
    assert main.run(["-f", str(project / "mkpkgs.toml"), "--keys", str(keys), "-q"]) == 130
    assert capsys.readouterr().err.strip() == (
        "mkpkgs: error: interrupted; the output directory was already replaced by the new one"
    )
    assert (project / "dist/index.html").exists()


def test_ctrl_c_while_modules_are_loaded_has_no_traceback(tmp_path: Path) -> None:
    """A module that everything needs is interrupted in its place."""
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt\n")
    done = subprocess.run(
        [sys.executable, "-m", "packaging_tool", "plan"],
        env=environment(PYTHONPATH=f"{tmp_path}:{ROOT}"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 130
    assert done.stderr == "mkpkgs: error: interrupted; the output directory is as it was\n"


@pytest.mark.parametrize("output", [".", "..", "/", "mkpkgs.toml"])
def test_an_output_directory_around_the_project_is_refused(mkpkgs: Mkpkgs, project: Path, output: str) -> None:
    before = sorted(project.rglob("*"))
    done = mkpkgs("-o", output)
    assert done.returncode == 2
    assert f"{output} {'is not a directory' if '.toml' in output else 'holds the project itself'}" in done.stderr
    assert sorted(project.rglob("*")) == before


def test_after_a_kill_the_output_is_as_it_was_and_the_next_run_works(project: Path, keys: Path, mkpkgs: Mkpkgs) -> None:
    assert mkpkgs().returncode == 0
    before = {path: path.read_bytes() for path in (project / "dist").rglob("*") if path.is_file()}
    (project / "plugins/moon/big").write_bytes(os.urandom(30 << 20))
    file = project / "mkpkgs.toml"
    file.write_text(file.read_text().replace('needs = ["bye"]', 'needs = ["bye"]\nrelease = "2"'))
    process = subprocess.Popen(
        [sys.executable, "-m", "packaging_tool"],
        cwd=project,
        env=environment(MKPKGS_KEYS=str(keys)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "build greet 1.0 for all\n"
    time.sleep(0.2)
    process.kill()
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert {path: path.read_bytes() for path in (project / "dist").rglob("*") if path.is_file()} == before
    done = mkpkgs()
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("dist: 2 packages written, 8 unchanged in ")
    assert list(project.glob(".dist.*")) == []


def test_a_disk_that_fills_up_is_one_clear_message(project: Path, keys: Path) -> None:
    """A limit on the size of files stands for the disk: writing fails in the middle of a package."""
    (project / "plugins/moon/big").write_bytes(os.urandom(8 << 20))
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 2000; exec {sys.executable} -m packaging_tool"],
        cwd=project,
        env=environment(MKPKGS_KEYS=str(keys)),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    (message,) = [line for line in done.stderr.splitlines() if line.startswith("mkpkgs: error: ")]
    assert "File too large" in message
    assert "Traceback" not in done.stderr
    assert not (project / "dist").exists()
    assert list(project.glob(".dist.*")) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_an_output_directory_that_cannot_be_exchanged_is_refused_before_the_work(
    project: Path, keys: Path, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    script = f"mount -t tmpfs none {place} && {sys.executable} -m packaging_tool -o {place}; echo status $?; "
    script += f"mount -o remount,ro {place}; {sys.executable} -m packaging_tool -o {place}/dist; echo status $?"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script],
        cwd=project,
        env=environment(MKPKGS_KEYS=str(keys)),
        capture_output=True,
        text=True,
    )
    if "unshare" in done.stderr:
        pytest.skip(done.stderr)
    assert done.stdout == "status 2\nstatus 1\n"
    assert f"{place} is a mount point" in done.stderr
    assert f"hint: write to {place}/dist\n" in done.stderr
    assert f"cannot write beside {place}/dist: Read-only file system\n" in done.stderr
    assert "build greet" not in done.stderr


def test_a_file_in_the_output_that_is_no_package_is_named_where_it_lies(mkpkgs: Mkpkgs, project: Path) -> None:
    assert mkpkgs().returncode == 0
    (project / "dist/apt/pool/main/g/greet/other_1_all.deb").write_text("not a package\n")
    done = mkpkgs("--adopt")
    assert done.returncode == 2
    assert "mkpkgs: error: dist/apt/pool/main/g/greet/other_1_all.deb cannot be read as a .deb" in done.stderr


@pytest.mark.parametrize("name", ["greet.sources", "index.html"])
def test_a_place_in_the_output_that_is_taken_by_a_directory_is_named_where_it_lies(
    mkpkgs: Mkpkgs, project: Path, name: str
) -> None:
    (project / "dist" / name / "x").mkdir(parents=True)
    done = mkpkgs()
    assert done.returncode == 1
    assert f"dist/.{name}" in done.stderr
    assert ".staging" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_pipe_among_the_sources_is_refused_and_not_waited_for(mkpkgs: Mkpkgs, project: Path) -> None:
    os.mkfifo(project / "plugins/moon/pipe")
    done = mkpkgs()
    assert done.returncode == 1
    assert "/plugins/moon/pipe is not a regular file" in done.stderr


def test_a_path_that_is_no_text_of_the_locale_is_fine(mkpkgs: Mkpkgs, project: Path) -> None:
    place = Path(os.fsdecode(os.fsencode(project.parent) + b"/gr\xfc\xdfe x"))
    project.rename(place)
    assert mkpkgs(cwd=place).returncode == 0
    place.rename(place.with_name("grüße"))
    done = mkpkgs(cwd=place.with_name("grüße"), env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("error") == 0


def test_what_a_terminal_has_no_sign_for_is_spelled(mkpkgs: Mkpkgs) -> None:
    done = mkpkgs("plan", env={"PYTHONIOENCODING": "latin-1"})
    assert (done.returncode, done.stderr.count("error")) == (0, 0)
    assert re.search(r"^[|`]-- ?\S", done.stdout, re.MULTILINE), done.stdout


@pytest.mark.parametrize("name", ["mkpkgs.toml", "mkpkgs.lock"])
def test_nobody_reads_a_pipe_or_a_device_in_the_place_of_a_file(mkpkgs: Mkpkgs, project: Path, name: str) -> None:
    for make in (os.mkfifo, lambda path: path.symlink_to("/dev/zero")):
        (project / name).unlink(missing_ok=True)
        make(project / name)
        done = mkpkgs("plan")
        assert done.returncode == 2
        assert re.search(rf"{name}.* is no regular file", done.stderr), done.stderr


def test_folders_that_lie_too_deep_are_told(mkpkgs: Mkpkgs, project: Path) -> None:
    place = project / "plugins/moon"
    # Python makes and removes no thousand at once.
    for _ in range(12):
        place /= "d/" * 99
        place.mkdir(parents=True)
    done = mkpkgs("plan")
    # pytest, which keeps the directories of three runs, could not remove them.
    subprocess.run(["rm", "-rf", project / "plugins/moon/d"], check=True)
    assert done.returncode in (1, 2)
    assert "plugins/moon has folders that lie 100 deep" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("moment", ["-1", "1e9", "4294967296", "\u0663"])
def test_a_time_that_no_package_can_carry_is_wrong_input(mkpkgs: Mkpkgs, moment: str) -> None:
    done = mkpkgs(env={"SOURCE_DATE_EPOCH": moment})
    assert done.returncode == 2
    assert "is not a number of seconds from 1970 to 2106" in done.stderr


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "lock is missing"),
        ("<<<<<<< HEAD\n", "Invalid statement"),
        ("lock = 1\nversion = '1'\ntime = 4294967296\ndriver = 'files'\n", "time 4294967296 is not between"),
        ("lock = 1\nversion = '1'\ntime = 0\ndriver = 'files'\n", "the driver's part is missing"),
    ],
)
def test_a_damaged_lock_is_not_overwritten(mkpkgs: Mkpkgs, project: Path, text: str, reason: str) -> None:
    (project / "mkpkgs.lock").write_text(text)
    done = mkpkgs()
    assert done.returncode == 2
    assert f"mkpkgs.lock: not a lock file: {reason}" in done.stderr
    assert "hint: take it back from version control" in done.stderr
    assert (project / "mkpkgs.lock").read_text() == text


def terminal(argv: list[str], cwd: Path, env: dict[str, str]) -> str:
    """What a program shows on a terminal."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(argv, cwd=cwd, env=env, stdout=follower, stderr=follower, stdin=subprocess.DEVNULL)
    os.close(follower)
    shown = b""
    while True:
        ready, _, _ = select.select([leader], [], [], 60)
        try:
            piece = os.read(leader, 65536) if ready else b""
        except OSError:
            break
        if not piece:
            break
        shown += piece
    process.wait(timeout=60)
    os.close(leader)
    return shown.decode()


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colour_is_for_terminals_that_want_it(tmp_path: Path, variables: dict[str, str], coloured: bool) -> None:
    argv = [sys.executable, "-m", "packaging_tool"]
    shown = terminal(argv, tmp_path, environment(**{"TERM": "xterm", **variables}))
    assert "there is no mkpkgs.toml" in shown
    assert ("\x1b[" in shown) is coloured


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_a_bar_is_drawn_and_is_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    console = Console(stream=stream)
    console.progress("write packages", 1, 4)
    assert "write packages ██████░░░░░░░░░░░░░░░░░░ 1/4" in stream.getvalue()
    time.sleep(0.1)
    console.step("next step")
    assert stream.getvalue().endswith("\r\x1b[Knext step\n")
    console.progress("write packages", 2, 4)
    console.progress("write packages", 4, 4)
    assert stream.getvalue().endswith("\r\x1b[Kwrite packages: 4\n")


def test_without_a_terminal_progress_is_one_plain_line() -> None:
    stream = io.StringIO()
    console = Console(stream=stream)
    for done in range(1, 5):
        console.progress("write packages", done, 4)
    console.note("a detail")
    console.warn("look out")
    assert stream.getvalue() == "write packages: 4\nmkpkgs: warning: look out\n"


@pytest.mark.parametrize("live", [True, False])
def test_words_of_others_steer_no_terminal(live: bool, capsys: pytest.CaptureFixture[str]) -> None:
    for name, word in words(Path("/nowhere/mark")):
        stream = Terminal() if live else io.StringIO()
        console = Console(stream=stream, verbose=True)
        for say in (console.step, console.note, console.warn, tell):
            say(word)
        console.progress(word, 1, 1)
        # Its own colours of a warning are few.
        shown = re.sub("\x1b\\[(33|1|0)m", "", stream.getvalue())
        shown += capsys.readouterr().out
        assert all(c.isprintable() or c in "\n\t" for c in shown), name


def test_each_command_prints_by_what_cleans_words() -> None:
    # The version, and the page of the manual that roff reads.
    allowed = {"text.py", "errors.py", "progress.py", "main.py", "manual.py"}
    for path in (Path(errors.__file__).parent).rglob("*.py"):
        printing = re.search(r"\bclick\.s?echo\b|\bstdout\.write\b|\bstderr\.write\b|\bprint\(", path.read_text())
        assert printing is None or path.name in allowed, path


def test_verbose_tells_details_and_quiet_nothing() -> None:
    loud, silent = io.StringIO(), io.StringIO()
    for console in (Console(stream=loud, verbose=True), Console(stream=silent, quiet=True)):
        console.step("step")
        console.note("note")
        console.progress("task", 1, 1)
    assert loud.getvalue() == "step\nnote\ntask: 1\n"
    assert silent.getvalue() == ""


def test_the_list_of_commands_says_what_the_commands_say() -> None:
    group = root.command()
    context = click.Context(group)
    assert set(root.SUMMARIES) == set(group.list_commands(context))
    for name, text in root.SUMMARIES.items():
        found = group.get_command(context, name)
        assert found is not None
        assert found.short_help == text


@pytest.mark.parametrize("name", ["", *sorted(root.SUMMARIES)])
def test_every_help_has_an_example(name: str) -> None:
    done = CliRunner().invoke(root.command(), [*([name] if name else []), "--help"])
    assert done.exit_code == 0
    assert "Example" in done.output
    assert f"  mkpkgs{' ' if name else ''}{name}" in done.output
    assert max(map(len, done.output.splitlines())) <= 110


def test_run_gives_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--version"]) == 0
    assert main.run(["--help"]) == 0
    assert main.run(["nothing"]) == 2
