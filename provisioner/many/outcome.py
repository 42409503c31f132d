"""What became of one environment of many: data, which can be sent to another process and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from provisioner.lazy_dataclass import dataclass
from provisioner.render.verdict import destroyed, ending

if TYPE_CHECKING:
    from provisioner.errors import Problem
    from provisioner.model import Outcome as ChangeOutcome
    from provisioner.model import Plan


class Verdict(StrEnum):
    """What a run over many comes to in one environment. `ok`: there is nothing to do, or to say.

    `changed`: an apply has changed it; `changes`: a plan would, or there is drift.
    """

    CHANGES = "changes"
    CHANGED = "changed"
    REFUSED = "refused"
    FAILED = "failed"
    WRONG = "wrong"
    INTERRUPTED = "interrupted"
    OK = "ok"


# From the worst to the best: whoever reads one number is told the worst of all environments.
EXIT_CODES = (130, 1, 3, 4, 2, 0)
# The order of the last table: what is or was to be changed comes first, and what needs nobody last.
_ORDER = tuple(Verdict)


@dataclass(frozen=True)
class Trouble:
    """Why something could not be done, what to do about it, and AWS's code for it. `lines` are further
    places of the same, such as all problems of a spec: these are `problems` as well, as far as listed."""

    message: str
    hint: str | None = None
    code: str | None = None
    lines: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of one environment.

    `source` is the spec as it was given, `target` the one of its targets; of a spec that cannot be read
    neither environment nor region is known. `words` say in a line what it comes to. `data` is what the
    command alone prints with `--format json`, under its name (`plan`, `drift`, `status`, `permissions`,
    `result`). For whoever shows it: `plan`, what became of each change of it in `result` and after how many
    `seconds`, or another `subject`, such as drift.
    """

    source: str
    verdict: Verdict
    exit_code: int
    words: str
    target: str | None = None
    environment: str | None = None
    region: str | None = None
    account_id: str | None = None
    trouble: Trouble | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    plan: Plan | None = None
    result: tuple[ChangeOutcome, ...] = ()
    seconds: float = 0.0
    subject: Any = None

    @property
    def name(self) -> str:
        """What people call it: the environment, or the spec where that is all that is known."""
        return self.environment or self.place

    @property
    def place(self) -> str:
        """The spec, and which of its targets."""
        return f"{self.source} --target {self.target}" if self.target else self.source

    @cached_property
    def destroys(self) -> bool:
        """Whether something that is there would be gone."""
        return self.plan is not None and bool(destroyed(self.plan) or ending(self.plan))


def exit_code_of(codes: Iterable[int]) -> int:
    """The worst of several exit codes: interrupted, failed, wrong, refused, changes, done."""
    return min(codes, key=_badness, default=0)


def in_order(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Outcomes as they are shown: what destroys, other changes, what went wrong, and what needs nobody."""
    return sorted(outcomes, key=_rank)


def names_of(outcomes: Sequence[Outcome], most: int) -> str:
    """The names of so many environments at most, sorted, and how many more there are.

    Where two have one name, they are told apart by account and region."""
    names = Counter(outcome.name for outcome in outcomes)

    def called(outcome: Outcome) -> str:
        where = ", ".join(filter(None, (outcome.account_id, outcome.region)))
        return f"{outcome.name} ({where})" if names[outcome.name] > 1 and where else outcome.name

    every = sorted(map(called, outcomes))
    more = f" and {len(every) - most:,} more" if len(every) > most else ""
    return f"{', '.join(every[:most])}{more}"


def _badness(code: int) -> int:
    # An exit code that nobody knows is a failure.
    return EXIT_CODES.index(code) if code in EXIT_CODES else EXIT_CODES.index(1)


def _rank(outcome: Outcome) -> tuple[Any, ...]:
    where = (outcome.name, outcome.account_id or "", outcome.region or "", outcome.place)
    return (*rank(outcome.destroys, outcome.verdict), *where)


def rank(destroys: bool, verdict: str) -> tuple[bool, int]:
    """How early an outcome is shown: the lowest is first."""
    return not destroys, _ORDER.index(Verdict(verdict))
