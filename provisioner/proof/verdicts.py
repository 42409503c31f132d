"""The proof of a plan as data: a verdict on each kind of call of each change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

from provisioner.lazy_dataclass import dataclass
from provisioner.model import Address


class Answer(StrEnum):
    """Whether a call would be done; `unproven`: nobody can say before it is made."""

    YES = "yes"
    NO = "no"
    UNPROVEN = "unproven"


class Way(StrEnum):
    """How it was asked."""

    DRY_RUN = "dry run"
    SIMULATION = "simulation"
    BOTH = "dry run and simulation"
    NONE = "not asked"


@dataclass(frozen=True)
class Verdict:
    """What became of asking for one operation of one change.

    `count` calls are planned, of which `tried` that differ in what rights can depend on were asked for.
    `action` and `resource` are what was refused, `layer` which policies or what else refuses, as far as AWS
    says; `why` is the rest, in words.
    """

    address: Address
    service: str
    operation: str
    answer: Answer
    way: Way = Way.NONE
    count: int = 1
    tried: int = 0
    action: str | None = None
    resource: str | None = None
    layer: str | None = None
    why: str | None = None


@dataclass(frozen=True)
class Proof:
    """All verdicts, in the order of the plan; `principal` is who asks. The numbers are calls."""

    principal: str
    verdicts: tuple[Verdict, ...]
    dry_runs: int = 0
    simulations: int = 0
    reads: int = 0

    @property
    def summary(self) -> dict[Answer, int]:
        """How many verdicts there are of each sort."""
        counted = Counter(verdict.answer for verdict in self.verdicts)
        return {answer: counted[answer] for answer in Answer}

    @property
    def is_refused(self) -> bool:
        """Whether anything planned would be refused."""
        return any(verdict.answer is Answer.NO for verdict in self.verdicts)


def worst(answers: Iterable[Answer]) -> Answer:
    """One `no` is enough, and what is not proven is not a yes."""
    found = set(answers)
    return next((answer for answer in (Answer.NO, Answer.UNPROVEN) if answer in found), Answer.YES)
