"""Two runs at once: never more members than the larger count asks for, and one more run makes it right.

Two real processes, started together, whose requests are held up by random moments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.faults.racing import Dawdling, Ledger
from tests.faults.runs import Nursery
from tests.faults.sweep import NAME, NUMBERED, PLAIN, Account, sweep_spec
from tests.faults.wire import Wire
from tests.support.cloud import Cloud
from tests.support.program import Ran

MORE, FEWER = NUMBERED + 2, PLAIN - 1
LAG_S = 5.0


@pytest.fixture(scope="session")
def other_wire(aws: Cloud) -> Iterator[Wire]:
    """What the requests of the second run pass."""
    with Wire(aws.server.port) as wire:
        yield wire


@dataclass(frozen=True)
class Race:
    """Two command lines, each with its own wire, and an account."""

    account: Account
    other_spec: Path
    wires: tuple[Wire, Wire]
    nursery: Nursery
    ledger: Ledger

    def run(self, seed: str, one: str, other: str, other_spec: Path | None = None) -> tuple[Ran, Ran]:
        """Runs both at once. They end well, or say what came in between."""
        for number, wire in enumerate(self.wires):
            wire.put(Dawdling(f"{seed}|{number}"), self.ledger)
        specs = (self.account.spec, other_spec or self.account.spec)
        lines = [
            [command, "--yes", "--endpoint-url", wire.url, str(spec)]
            for command, wire, spec in zip((one, other), self.wires, specs, strict=True)
        ]
        running = [self.nursery.start(*line) for line in lines]
        first, second = (process.end() for process in running)
        for ran in (first, second):
            assert ran.code in (0, 1), ran.said
            assert ran.code == 0 or "error:" in ran.err or "failed" in ran.out, ran.said
        for wire in self.wires:
            wire.put()
        return first, second

    def one_more(self, command: str, spec: Path | None = None) -> None:
        """Asserts that once all is shown one more run of a command is enough."""
        self.account.cloud.wait(LAG_S)
        self.account.cloud.mend()
        assert set(self.account.cloud.ids(NAME)) == self.ledger.live
        words = ["--endpoint-url", self.wires[0].url, str(spec or self.account.spec)]
        ran = self.nursery.run(command, "--yes", *words)
        assert ran.code == 0, ran.said
        planned = self.nursery.run(
            "plan", "--detailed-exitcode", *(["--destroy"] if command == "destroy" else []), *words
        )
        assert planned.code == 0, planned.said

    def never_had_more_than(self, numbered: int, plain: int) -> None:
        """Asserts that at no moment there were more members alive."""
        assert self.ledger.most["numbered"] <= numbered
        assert self.ledger.most["plain"] <= plain


Start = Callable[..., Race]


@pytest.fixture
def start(aws: Cloud, wire: Wire, other_wire: Wire, nursery: Nursery, tmp_path: Path) -> Start:
    def start(is_late: bool, applied: bool = False) -> Race:
        for either in (wire, other_wire):
            either.put()
        account = Account.prepared(aws, tmp_path)
        other_spec = tmp_path / "other.yaml"
        other = sweep_spec(aws, fleets__numbered__count=MORE, fleets__plain__count=FEWER)
        other_spec.write_text(yaml.safe_dump(other, sort_keys=False))
        race = Race(account, other_spec, (wire, other_wire), nursery, Ledger())
        if applied:
            race.one_more("apply")
            for fleet in ("numbered", "plain"):
                race.ledger.count(fleet, set(aws.ids(NAME, fleet)))
        aws.break_with(lag_s=LAG_S if is_late else 0.0)
        aws.wait(LAG_S)
        return race

    return start


def same_spec(start: Start, number: int) -> None:
    """The same spec twice at once."""
    race = start(is_late=number % 2 == 1)
    ran = race.run(f"same {number}", "apply", "apply")
    assert [outcome.code for outcome in ran] == [0, 0], "\n".join(outcome.said for outcome in ran)
    race.one_more("apply")
    race.never_had_more_than(NUMBERED, PLAIN)
    race.account.is_as_the_spec_says()
    assert race.account.launched() == NUMBERED + PLAIN


def different_counts(start: Start, number: int) -> None:
    """One fleet is to be larger for the one, the other for the other."""
    race = start(is_late=number % 2 == 1, applied=number % 4 >= 2)
    race.run(f"different {number}", "apply", "apply", race.other_spec)
    if number % 3:
        race.one_more("apply")
        race.account.is_as_the_spec_says(may_lack_numbers=True)
    else:
        race.one_more("apply", race.other_spec)
        race.account.is_as_the_spec_says(MORE, FEWER)
    race.never_had_more_than(MORE, PLAIN)


def apply_against_destroy(start: Start, number: int) -> None:
    """One builds while the other tears down; who comes after both decides."""
    race = start(is_late=number % 2 == 1, applied=number % 4 >= 2)
    race.run(f"against {number}", "apply", "destroy")
    race.never_had_more_than(NUMBERED, PLAIN)
    if number % 3:
        race.one_more("apply")
        race.account.is_as_the_spec_says()
    else:
        race.one_more("destroy")
        race.account.is_untouched()
    race.never_had_more_than(NUMBERED, PLAIN)


EVERY_WAY = pytest.mark.parametrize("once", [same_spec, different_counts, apply_against_destroy])


@EVERY_WAY
@pytest.mark.parametrize("number", [0, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.sampled
def test_two_at_once(start: Start, once: Callable[[Start, int], None], number: int) -> None:
    once(start, number)


@pytest.mark.long
def test_a_profile_that_went_while_it_was_being_attached(start: Start, aws: Cloud) -> None:
    race = start(is_late=False, applied=True)
    aws.drop_profile(f"{NAME}-reader")
    race.one_more("destroy")
    race.account.is_untouched()


@pytest.mark.long
@EVERY_WAY
@pytest.mark.parametrize("half", [range(25), range(25, 50)], ids=["first-25", "second-25"])
def test_two_at_once_many_times(start: Start, once: Callable[[Start, int], None], half: range) -> None:
    wrong = []
    for number in half:
        try:
            once(start, number)
        except AssertionError as problem:
            wrong.append(f"round {number}: {problem}")
    assert not wrong, "\n\n".join([f"{len(wrong)} rounds", *wrong])
