"""The gate itself: what is printed by whom is seen by everybody, on one line, and is the same document."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from typing import IO, Any, cast

import pytest
from hypothesis import given, settings
from rich.console import Console
from rich.text import Text

from provisioner.cli import common as cli_common
from provisioner.cli.output import Gate, Layout, plain_width
from provisioner.model import (
    Action,
    Address,
    Change,
    Failure,
    FieldChange,
    Note,
    Outcome,
    Plan,
    Refusal,
    Replan,
    Result,
    Rollout,
    UserData,
)
from provisioner.render.as_json import outcomes_data, plan_data
from provisioner.render.as_outcomes import outcomes_text
from provisioner.render.as_status import status_data, status_text
from provisioner.render.as_text import SYMBOLS, plan_lines, plan_text
from provisioner.render.field_lines import WIDE
from provisioner.render.layout import cells
from provisioner.render.progress import Progress
from provisioner.render.styled import plain
from provisioner.visible import ASCII_FORMS, visible
from tests.support.hostile import FORGED, HONEST, TRICKS, harmless, hostile

# Each example is a whole plan; what a machine takes for one is not what is asked here.
LONG = settings(deadline=None, max_examples=60)
PLANS = settings(deadline=None, max_examples=8)


class Paper(io.StringIO):
    """Where a gate writes; a terminal if need be."""

    def __init__(self, terminal: bool = False) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def test_signs_that_an_encoding_does_not_have_stay_distinct() -> None:
    read, write = os.pipe()
    with os.fdopen(read, encoding="ascii") as reader, os.fdopen(write, "w", encoding="ascii") as paper:
        Gate(paper, "stdout").layout("+ ~ ± - ! 1 → 2 · a… Zoë\n")
        paper.close()
        assert reader.read() == "+ ~ * - ! 1 -> 2 | a... Zo?\n"
    signs = [*SYMBOLS.values(), WIDE]
    assert len({ASCII_FORMS.get(sign, sign) for sign in signs}) == len(signs)


@pytest.mark.parametrize("trick", [trick for trick in TRICKS if not trick.isprintable()])
def test_a_line_stays_one_line_whoever_prints_it(trick: str) -> None:
    paper = Paper()
    print(f"x{trick}{FORGED}", file=cast("IO[str]", Gate(paper, "stdout")))
    assert paper.getvalue().count("\n") == 1
    harmless(paper.getvalue())


@pytest.mark.parametrize("name", HONEST)
def test_honest_names_stay_as_they_are(name: str) -> None:
    paper = Paper()
    Gate(paper, "stdout").write(f"{name}\n")
    assert paper.getvalue() == f"{name}\n"
    assert visible(name) == name


def test_what_is_made_visible_can_be_read() -> None:
    assert visible("a\nb\x1b[31m\u202e\x9b\x00") == r"a\nb\u001b[31m\u202e\u009b\u0000"


@LONG
@given(hostile)
def test_nothing_raw_gets_through_any_way_in(text: str) -> None:
    for terminal in (False, True):
        paper = Paper(terminal)
        gate = Gate(paper, "stdout")
        gate.write(f"x{text}")
        gate.line(f"x{text}", "error:")
        gate.document(json.dumps({"x": text}, ensure_ascii=False))
        harmless(paper.getvalue(), colours=terminal)


@LONG
@given(hostile)
def test_a_document_is_the_same_document_afterwards(text: str) -> None:
    paper = Paper()
    written = {f"key {text}": [text, {"x": text}]}
    Gate(paper, "stdout").document(json.dumps(written, indent=2, ensure_ascii=False))
    harmless(paper.getvalue())
    # Two halves of a character beside each other are that character to whoever reads JSON.
    assert json.loads(paper.getvalue()) == json.loads(json.dumps(written))


@pytest.mark.parametrize(
    "name", ["Signature={}", "Credential={}/x", "id_token={}", '{{"session_token": "{}"}}']
)
@pytest.mark.parametrize(
    "value", ['abcdef"gh', 'abcdef\\"gh', "abcdef\\", "abcdef\\\\", '"', '\\"abcdef', "ab\ncdef"]
)
def test_a_document_is_one_whatever_is_hidden_in_it(name: str, value: str) -> None:
    paper = Paper()
    written = {"name": name.format(value), "then": "stays"}
    Gate(paper, "stdout").document(json.dumps(written))
    assert json.loads(paper.getvalue())["then"] == "stays"


@pytest.mark.parametrize("blank", ["\u115f", "\u1160", "\u2800", "\u3164", "\uffa0"])
def test_letters_without_ink_are_seen(blank: str) -> None:
    paper = Paper()
    for show in (Gate(paper, "stdout").lines, Gate(paper, "stdout").layout):
        show(f"é{blank}{FORGED}\n")
    assert blank not in paper.getvalue()


def test_no_name_moves_what_is_forged_to_where_a_line_begins() -> None:
    for filler in (" ", "x", "宽", "\u3164"):
        name = f"web{filler * 200}{FORGED}"
        member = {"id": "i-1", "name": name, "state": "running", "launched": "now"}
        status = {
            "state": f"foreign: i-1 (web{' ' * 200}{FORGED})",
            "members": [member, {**member, "name": "x"}],
        }
        for width in (20, 79, 100, 300):
            lines = status_text("e", "r", "1", {"fleet/x": status}, width=width).plain.splitlines()
            assert max(map(cells, lines)) <= width
            assert not any(line.startswith(FORGED) for line in lines)
            # Nor as if a column or a line of its own began there.
            assert not any(f"  {FORGED}" in line.strip() for line in lines)


@LONG
@given(hostile)
def test_rich_gets_no_markup_and_no_escape_code_of_a_value_through(text: str) -> None:
    for terminal in (False, True):
        paper = Paper(terminal)
        console = Console(file=cast("IO[str]", Layout(Gate(paper, "stdout"))), markup=False, emoji=False)
        console.print(Text("x" + visible(text)), soft_wrap=True)
        harmless(paper.getvalue(), colours=terminal)


def plan_of(text: str) -> Plan:
    """A plan in which everything that somebody else can have written is the same text."""
    address = Address("fleet", f"x{text}")
    policy = {
        "Statement": [{"Sid": text, "Effect": "Allow", "Action": text, "Condition": {text: {text: text}}}]
    }
    other = {"Statement": [{"Sid": text, "Effect": "Deny", "Action": [text, "b"], "Resource": text}]}
    fields = (
        FieldChange(text, text, f"{text}!"),
        FieldChange("tags", {text: text}, {text: None}),
        FieldChange("list", [text], ["a", text + text]),
        FieldChange("inline_policies", {text: policy}, {text: other}),
        FieldChange("new", None, {text: [text]}),
        FieldChange("policy", None, policy),
        FieldChange("user_data", UserData(text, text, 1, text), UserData(text, text, 2, f"a\n{text}\n")),
        FieldChange("default", None, text, is_default=True),
    )
    rollout = Rollout("restart", ((text, "i-1"), ("i-2",)), 1, 3)
    changes = tuple(
        Change(
            address,
            action,
            f"because {text}",
            fields,
            (text, "i-1"),
            2,
            deferred=deferred,
            rollout=waves,
            names={"i-1": text, "i-2": f"{text}2"},
        )
        for action in Action
        for deferred, waves in ((None, None), (text, None), (None, rollout))
    )
    told = Refusal(address, f"refused {text}", f"hint {text}")
    return Plan(f"e{text}", f"r{text}", f"1{text}", changes, (told,), (Note(address, f"n {text}"),))


def outcomes_of(text: str) -> list[Outcome]:
    plan = plan_of(text)
    failure = Failure(f"m {text}", text, text, text, text)
    again = Failure(f"m {text}", text, text, text, text, Replan.SOON)
    return [
        *(Outcome(change, Result.DONE, 2.0, notes=(f"n {text}",)) for change in plan.changes),
        Outcome(plan.changes[0], Result.FAILED, failure=failure),
        Outcome(plan.changes[1], Result.FAILED, failure=again),
        Outcome(plan.changes[2], Result.STOPPED, because=f"b {text}"),
        Outcome(plan.changes[3], Result.SKIPPED, because=f"b {text}"),
        Outcome(plan.changes[4], Result.DEFERRED, because=f"b {text}"),
    ]


def statuses_of(text: str) -> dict[str, Any]:
    member = {"id": text, "name": f"n{text}", "state": text, "type": text, "launched": text, "zone": text}
    status = {"state": f"s{text}", "arn": text, "policies": [text], text: text, "members": [member, member]}
    return {f"fleet/{text}": status}


def are_read_and_do_nothing_else(text: str) -> None:
    plan, outcomes, statuses = plan_of(text), outcomes_of(text), statuses_of(text)
    for terminal in (False, True):
        paper = Paper(terminal)
        gate = Gate(paper, "stdout")
        console = Console(
            file=cast("IO[str]", Layout(gate)), markup=False, emoji=False, highlight=False, width=80
        )
        for laid_out in (
            plan_text(plan, 80, local=True),
            plan_text(plan, 40, ids=True, user_data=True),
            outcomes_text(f"e{text}", outcomes, 3.0, 80),
            status_text(f"e{text}", f"r{text}", f"1{text}", statuses, local=True),
        ):
            console.print(laid_out, soft_wrap=True)
        harmless(paper.getvalue(), colours=terminal)
        if not terminal:
            # What the command prints where nothing is drawn, without rich.
            unadorned = Paper(terminal)
            Gate(unadorned, "stdout").layout(plain(plan_lines(plan, 80, local=True)) + "\n")
            assert paper.getvalue().startswith(unadorned.getvalue())
    for data in (
        plan_data(plan),
        plan_data(plan, user_data=True),
        outcomes_data(f"e{text}", outcomes),
        status_data(text, text, text, statuses),
    ):
        paper = Paper()
        Gate(paper, "stdout").document(json.dumps(data, indent=2, ensure_ascii=False))
        harmless(paper.getvalue())
        assert json.loads(paper.getvalue()) == json.loads(json.dumps(data))


@PLANS
@given(hostile)
def test_plans_outcomes_and_statuses_are_read_and_do_nothing_else(text: str) -> None:
    are_read_and_do_nothing_else(text)


@pytest.mark.long
def test_sixty_plans_outcomes_and_statuses_are_read_and_do_nothing_else() -> None:
    LONG(given(hostile)(are_read_and_do_nothing_else))()


@LONG
@given(hostile)
def test_progress_is_read_and_does_nothing_else(text: str) -> None:
    from provisioner.apply import Finished, Started, Waiting

    for terminal in (False, True):
        paper = Paper(terminal)
        console = Console(
            file=cast("IO[str]", Layout(Gate(paper, "stderr"))), markup=False, emoji=False, width=80
        )
        with Progress(console, lambda outcome: None) as progress:
            for outcome in outcomes_of(text):
                progress.show(Started(outcome.change))
                progress.show(Waiting(outcome.change, f"u {text}", 1, 2, f"p {text}"))
                progress.show(Finished(outcome))
        harmless(paper.getvalue(), colours=terminal)


def test_what_is_printed_while_a_display_is_on_goes_above_it(monkeypatch: pytest.MonkeyPatch) -> None:
    paper, above = Paper(), list[str]()
    gate = Gate(paper, "stderr")
    gate.above = above.append
    monkeypatch.setattr(sys, "stderr", gate)
    thread = threading.Thread(target=cli_common.say, args=("12 ms\nFORGED", True))
    thread.start()
    thread.join()
    assert above == [r"12 ms\nFORGED"]
    assert paper.getvalue() == ""


@pytest.mark.parametrize(("encoding", "shown"), [("utf-8", "größe"), ("ascii", "gr\\u00f6\\u00dfe")])
def test_a_document_has_the_letters_that_its_encoding_has(
    encoding: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding)
    monkeypatch.setattr(sys, "stdout", Gate(stream, "stdout"))
    cli_common.say_data({"x": "größe"})
    assert shown in raw.getvalue().decode(encoding)
    assert json.loads(raw.getvalue().decode(encoding)) == {"x": "größe"}


@pytest.mark.parametrize("columns", [None, "", "40", "200"])
def test_without_a_terminal_lines_are_as_wide_as_rich_takes_them(
    columns: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if columns is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", columns)
    assert plain_width() == Console(file=io.StringIO()).width


def test_a_plan_that_is_not_drawn_needs_no_rich() -> None:
    code = "import sys, provisioner.cli.plan, provisioner.render.as_text as a\nprint('rich' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
