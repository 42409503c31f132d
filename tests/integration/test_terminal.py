"""On a terminal: the program asks, takes no for an answer, and can be interrupted."""

from __future__ import annotations

import contextlib
import errno
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

import local_aws
from local_aws import Rule
from tests.support.cloud import Cloud
from tests.support.fixtures import Run
from tests.support.forks import Forks
from tests.support.program import ROOT, TIMEOUT_S, Program
from tests.support.specs import PROBE

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal:
    """The program on a terminal of its own, with somebody who reads and types."""

    def __init__(self, forks: Forks, arguments: Sequence[str | Path], environment: dict[str, str]) -> None:
        self._slave: int | None
        self._master, self._slave = pty.openpty()
        self._running = forks.fork(
            arguments,
            terminal=os.ttyname(self._slave),
            environment=environment | {"TERM": "xterm-256color"},
            cwd=str(ROOT),
        )
        self.shown = ""

    @property
    def text(self) -> str:
        """What was shown, without colours and movements."""
        return ESCAPES.sub("", self.shown)

    def read_until(self, text: str) -> None:
        """Reads until the text is shown; fails if the program ends first."""
        deadline = time.monotonic() + TIMEOUT_S
        while text not in self.text:
            assert time.monotonic() < deadline, self.text
            assert self._read(), self.text

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def interrupt(self) -> None:
        self._running.signal(signal.SIGINT)

    def interrupt_at_a_question(self) -> None:
        """Interrupts, and again if nothing is shown: one just before the answer is read is lost."""
        self.interrupt()
        while "nothing was changed" not in self.text:
            shown = self.shown
            assert self._read(TIMEOUT_S / 3), self.text
            if self.shown == shown:
                self.interrupt()

    def end(self) -> int:
        """Reads to the end and returns the exit code."""
        while self._read():
            pass
        code = self._running.code.result(TIMEOUT_S)
        assert "Traceback" not in self.text, self.text
        return code

    def close(self) -> None:
        if not self._running.code.done():
            self._running.signal(signal.SIGKILL)
            self._running.code.result(TIMEOUT_S)
        self._leave_to_the_program()
        os.close(self._master)

    def _read(self, patience: float = TIMEOUT_S) -> bool:
        ready, _, _ = select.select([self._master], [], [], patience)
        assert ready or patience < TIMEOUT_S, self.text
        if not ready:
            return True
        try:
            read = os.read(self._master, 65536)
        except OSError as error:
            if error.errno == errno.EIO:  # the other side has closed the terminal
                return False
            raise
        # Once the program has it open: a terminal that nobody has open is closed.
        self._leave_to_the_program()
        self.shown += read.decode(errors="replace")
        return bool(read)

    def _leave_to_the_program(self) -> None:
        if self._slave is not None:
            os.close(self._slave)
            self._slave = None


Open = Callable[..., Terminal]


@pytest.fixture
def terminal(local_environment: dict[str, str], forks: Forks) -> Iterator[Open]:
    """Runs the program on a terminal."""
    with contextlib.ExitStack() as stack:

        def opening(*arguments: str | Path, colour: bool = False, **variables: str) -> Terminal:
            environment = local_environment | variables
            if colour:
                del environment["NO_COLOR"]
            opened = Terminal(forks, arguments, environment)
            stack.callback(opened.close)
            return opened

        yield opening


@pytest.fixture
def spec(program: Program) -> Path:
    return program.write(PROBE)


QUESTION = "Apply these changes?"
IN_FLIGHT = "0 of 2 running"


def test_no_to_the_question_changes_nothing(terminal: Open, spec: Path, cloud: Cloud) -> None:
    opened = terminal("apply", spec)
    opened.read_until(QUESTION)
    assert "fleet/worker" in opened.text
    opened.type("n\n")
    assert opened.end() == 4
    assert "nothing was changed" in opened.text
    assert cloud.writes() == []


def test_no_is_what_an_empty_answer_means(terminal: Open, spec: Path, cloud: Cloud) -> None:
    opened = terminal("apply", spec)
    opened.read_until(QUESTION)
    opened.type("\n")
    assert opened.end() == 4
    assert cloud.writes() == []


def test_the_end_of_input_is_a_no_to_the_question(terminal: Open, spec: Path, cloud: Cloud) -> None:
    opened = terminal("apply", spec)
    opened.read_until(QUESTION)
    opened.type("\x04")
    assert opened.end() == 4
    assert "\ncancelled; nothing was changed" in opened.text.replace("\r", "")
    assert cloud.writes() == []


def test_a_code_for_many_environments_is_asked_for_until_somebody_interrupts(
    terminal: Open, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text(
        "[profile asking]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = me\n"
        "mfa_serial = arn:aws:iam::123456789012:mfa/me\n"
        "[profile me]\naws_access_key_id = some\naws_secret_access_key = any\n"
    )
    specs = [tmp_path / f"{name}.yaml" for name in ("shop", "bank")]
    for spec in specs:
        spec.write_text(f"environment: {spec.stem}\nregion: us-east-1\nroles: {{worker: {{}}}}\n")
    opened = terminal(
        "plan",
        "--profile",
        "asking",
        *specs,
        AWS_CONFIG_FILE=str(tmp_path / "config"),
        PROVISIONER_LOCAL="",
    )
    opened.read_until("Enter MFA code")
    opened.interrupt()
    assert opened.end() == 130


def test_many_are_destroyed_by_typing_what_is_in_quotes(
    terminal: Open, tmp_path: Path, run: Run, cloud: Cloud
) -> None:
    for name in ("shop", "bank"):
        (tmp_path / f"{name}.yaml").write_text(
            f"environment: {name}\nregion: us-east-1\nroles: {{worker: {{}}}}\n"
        )
    assert run("apply", "--yes", "--no-cost", tmp_path).code == 0
    question = 'Type "2 environments" to destroy them:'
    for answer, code in (("2", 4), ("2 environments", 0)):
        opened = terminal("destroy", "--no-color", "--no-cost", tmp_path, colour=True)
        opened.read_until(question)
        assert "to be destroyed: bank, shop" in opened.text
        opened.type(f"{answer}\n")
        assert opened.end() == code
        assert re.findall(r"\x1b\[[0-9;]*m", opened.shown) == []
    assert cloud.roles() == []


def test_yes_to_the_question_applies(terminal: Open, spec: Path, cloud: Cloud) -> None:
    opened = terminal("apply", spec)
    opened.read_until(QUESTION)
    assert cloud.writes() == []
    opened.type("y\n")
    assert opened.end() == 0
    assert len(cloud.ids("probe")) == 2
    assert "3 done" in opened.text


def test_nothing_to_do_is_nothing_to_ask(terminal: Open, spec: Path, program: Program, cloud: Cloud) -> None:
    program.apply(spec)
    opened = terminal("apply", spec)
    assert opened.end() == 0
    assert QUESTION not in opened.text


def test_destroying_wants_the_name_of_the_environment(
    terminal: Open, spec: Path, program: Program, cloud: Cloud
) -> None:
    program.apply(spec)
    for answer in ("yes", ""):
        opened = terminal("destroy", spec)
        opened.read_until("Type probe to destroy it")
        opened.type(f"{answer}\n")
        assert opened.end() == 4
    assert len(cloud.ids("probe")) == 2

    opened = terminal("destroy", spec)
    opened.read_until("Type probe to destroy it")
    opened.type("probe\n")
    assert opened.end() == 0
    assert cloud.live() == []


@pytest.mark.long
def test_an_interrupt_at_the_question_changes_nothing(terminal: Open, spec: Path, cloud: Cloud) -> None:
    opened = terminal("apply", spec)
    opened.read_until(QUESTION)
    opened.interrupt_at_a_question()
    assert opened.end() == 130
    assert "nothing was changed" in opened.text
    assert cloud.writes() == []


def test_an_interrupt_while_applying_ends_with_a_summary_and_running_again_finishes(
    terminal: Open, spec: Path, program: Program, cloud: Cloud
) -> None:
    cloud.break_with(boot_s=3600)
    opened = terminal("apply", "--yes", spec)
    opened.read_until(IN_FLIGHT)
    opened.interrupt()
    assert opened.end() == 130
    lines = screen(opened.shown)
    assert "stopping: what is in flight is finished first; again to stop at once" in lines
    assert opened.shown.rindex("\x1b[?25h") > opened.shown.rindex("\x1b[?25l"), "the cursor is hidden"
    for line in lines:
        # Fields of two things can be alike.
        assert lines.count(line) == 1 or not line or line.startswith("    "), f"told twice: {line}"
    assert any(line.startswith("done") and "role/worker" in line for line in lines)
    assert any(line.startswith("stopped") and "fleet/worker" in line for line in lines)

    cloud.wait(3600)
    assert program.apply(spec).code == 0
    assert len(cloud.ids("probe")) == 2
    assert program.plan(spec).told == set()


def test_a_second_interrupt_ends_at_once_and_running_again_finishes(
    terminal: Open, spec: Path, program: Program, cloud: Cloud
) -> None:
    cloud.break_with(local_aws.delay("RunInstances", TIMEOUT_S / 4))
    opened = terminal("apply", "--yes", spec)
    opened.read_until("creating")
    opened.read_until("fleet/worker")
    opened.interrupt()
    opened.read_until("again to stop at once")
    opened.interrupt()
    assert opened.end() == 130
    assert "stopped at once" in opened.text
    assert opened.shown.rindex("\x1b[?25h") > opened.shown.rindex("\x1b[?25l"), "the cursor is hidden"

    cloud.mend()
    assert program.apply(spec).code == 0
    assert len(cloud.ids("probe")) == 2
    assert program.plan(spec).told == set()


@pytest.mark.long
def test_an_interrupt_while_destroying_can_be_followed_by_another_destroy(
    terminal: Open, spec: Path, program: Program, cloud: Cloud
) -> None:
    program.apply(spec)
    cloud.break_with(terminate_s=3600)
    opened = terminal("destroy", "--yes", spec)
    opened.read_until("0 of 2 terminated")
    opened.interrupt()
    assert opened.end() == 130
    assert cloud.profiles() == ["probe-worker"]

    cloud.wait(3600)
    assert program.destroy(spec).code == 0
    assert cloud.profiles() == cloud.roles() == []


def test_colours_are_there_until_they_are_unwanted(terminal: Open, spec: Path) -> None:
    coloured = terminal("plan", spec, colour=True)
    assert coloured.end() == 0
    assert colours(coloured.shown)
    for plain in (terminal("plan", spec), terminal("plan", "--no-color", spec, colour=True)):
        assert plain.end() == 0
        # Nor bold and dim, which are no colours.
        assert re.findall(r"\x1b\[[0-9;]*m", plain.shown) == []


def screen(shown: str) -> list[str]:
    """What is on the screen in the end, line by line, of a program that moves up and erases lines only."""
    lines, at = [""], 0
    for part in re.split(r"(\n|\r|\x1b\[\d*[A-Za-z]|\x1b\[\?25[lh])", re.sub(r"\x1b\[[0-9;]*m", "", shown)):
        if part == "\n":
            at += 1
            lines += [""] * (at + 1 - len(lines))
        elif re.fullmatch(r"\x1b\[\d*A", part):
            at -= int(part[2:-1] or 1)
        elif re.fullmatch(r"\x1b\[\d*K", part):
            lines[at] = ""
        elif part and part[0] not in "\r\x1b":
            lines[at] += part
    return [line.rstrip() for line in lines]


def colours(shown: str) -> list[str]:
    """The escape codes that give a colour."""
    return [
        code
        for code in re.findall(r"\x1b\[([0-9;]*)m", shown)
        if any(part.isdecimal() and 30 <= int(part) <= 107 for part in code.split(";"))
    ]


def test_what_is_piped_away_carries_no_escape_codes(run: Run, spec: Path) -> None:
    for command in (["plan"], ["apply", "--yes"]):
        ran = run(*command, spec, env={"NO_COLOR": None})
        assert ran.code == 0
        assert "\x1b" not in ran.said


@pytest.mark.parametrize("lines", [1, 3])
@pytest.mark.sampled
def test_an_apply_goes_on_to_its_end_when_nobody_reads_its_progress_any_more(
    spec: Path, local_environment: dict[str, str], cloud: Cloud, lines: int
) -> None:
    cloud.break_with(boot_s=2.0)
    running = subprocess.Popen(
        [sys.executable, "-m", "provisioner", "apply", "--yes", str(spec)],
        env=local_environment,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout
    assert running.stderr
    for _ in range(lines):
        running.stderr.readline()
    running.stderr.close()
    summary = running.stdout.read()
    running.stdout.close()
    assert running.wait(TIMEOUT_S) == 0
    assert "done" in summary
    assert len(cloud.ids("probe")) == 2


@pytest.mark.parametrize(
    ("rules", "code"),
    [((), 0), ((Rule("error", "RunInstances", code="UnauthorizedOperation", status=403),), 1)],
    ids=["done", "failed"],
)
@pytest.mark.sampled
def test_the_exit_code_of_an_apply_is_the_same_when_nobody_reads_its_summary(
    spec: Path, local_environment: dict[str, str], cloud: Cloud, rules: tuple[Rule, ...], code: int
) -> None:
    cloud.break_with(*rules)
    reader, writer = os.pipe()
    os.close(reader)
    words = [sys.executable, "-m", "provisioner", "apply", "--yes", "--format", "json", str(spec)]
    nowhere = subprocess.DEVNULL
    ran = subprocess.run(
        words,
        env=local_environment,
        cwd=ROOT,
        stdin=nowhere,
        stdout=writer,
        stderr=nowhere,
        timeout=TIMEOUT_S,
        check=False,
    )
    os.close(writer)
    assert ran.returncode == code


def test_whoever_stops_reading_gets_no_complaint(spec: Path, local_environment: dict[str, str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "provisioner", "plan", str(spec)],
            env=local_environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    finally:
        os.close(writer)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
