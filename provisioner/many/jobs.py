"""From specs to jobs: each environment that can be worked on, and an outcome for each that cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from provisioner.errors import AwsError, ProvisionerError, SpecError, UsageError
from provisioner.lazy_dataclass import dataclass
from provisioner.many.outcome import Outcome, Trouble, Verdict
from provisioner.many.spec_file import SpecFile
from provisioner.model import Environment
from provisioner.spec.many import are_same

_VERDICTS = {3: Verdict.WRONG, 4: Verdict.REFUSED, 130: Verdict.INTERRUPTED}
# So much of a message is told in the line of a table.
MAX_WORDS = 120


@dataclass(frozen=True)
class Job:
    """An environment to work on, and the spec that describes it."""

    spec: SpecFile
    environment: Environment

    @property
    def place(self) -> str:
        """The spec, and which of its targets."""
        return f"{self.spec.path} --target {self.spec.target}" if self.spec.target else self.spec.path

    def outcome(self, verdict: Verdict, exit_code: int, words: str) -> Outcome:
        """An outcome of it, without what is found in AWS."""
        environment = self.environment
        return Outcome(
            source=self.spec.path,
            target=self.spec.target,
            verdict=verdict,
            exit_code=exit_code,
            words=words,
            environment=environment.name,
            region=environment.region,
            account_id=environment.account_id,
        )


def load_jobs(
    specs: Iterable[SpecFile], load: Callable[[SpecFile], Environment]
) -> tuple[list[Job], list[Outcome]]:
    """The jobs, and the outcomes of specs that cannot be used.

    Raises UsageError where specs describe the same environment: an apply of one would
    delete what only the other has. Nothing has been sent then.
    """
    jobs: list[Job] = []
    others: list[Outcome] = []
    for spec in specs:
        try:
            jobs.append(Job(spec, load(spec)))
        except ProvisionerError as error:
            others.append(unusable(spec, error))
    _check_twins(jobs)
    return jobs, others


def unusable(spec: SpecFile, error: ProvisionerError) -> Outcome:
    """The outcome of a spec that is no environment."""
    verdict, code, trouble = told(error)
    words = in_short(trouble.message)
    return Outcome(spec.path, verdict, code, words, target=spec.target, trouble=trouble)


def offline_outcomes(jobs: Iterable[Job], work: Callable[[Job], Outcome]) -> list[Outcome]:
    """An outcome for each job of work that needs no connection, one after the other."""
    outcomes = []
    for job in jobs:
        try:
            outcomes.append(work(job))
        except ProvisionerError as error:
            outcomes.append(failed(job, error))
    return outcomes


def failed(job: Job, error: ProvisionerError) -> Outcome:
    """What becomes of a job that could not be done."""
    verdict, code, trouble = told(error)
    words = trouble.code or trouble.message
    return _with_trouble(job.outcome(verdict, code, in_short(words)), trouble)


def verdict_of(exit_code: int) -> Verdict:
    """What an environment comes to that could not be done, by the exit code that this has."""
    return _VERDICTS.get(exit_code, Verdict.FAILED)


def told(error: ProvisionerError) -> tuple[Verdict, int, Trouble]:
    """An error as the verdict of one environment, its exit code and its words."""
    verdict = verdict_of(error.exit_code)
    if isinstance(error, SpecError):
        number = len(error.problems) + error.more
        message = f"the spec has {number} problem{'' if number == 1 else 's'}"
        lines = [*map(str, error.problems), *([error.rest] if error.more else [])]
        return verdict, error.exit_code, Trouble(message, lines=tuple(lines), problems=error.problems)
    code = error.code if isinstance(error, AwsError) else None
    return verdict, error.exit_code, Trouble(error.message, error.hint, code, tuple(error.lines))


def _check_twins(jobs: list[Job]) -> None:
    by_name: dict[tuple[str, str], list[Job]] = {}
    twins = []
    for job in jobs:
        before = by_name.setdefault((job.environment.name, job.environment.region), [])
        for other in before:
            if are_same(job.environment, other.environment):
                twins.append(
                    f"{other.place} and {job.place} both describe {job.environment.name} in "
                    f"{job.environment.region}"
                )
                break
        before.append(job)
    if twins:
        others = len(twins) - 1
        more = f" ({others:,} more pair{'' if others == 1 else 's'})" if others else ""
        raise UsageError(
            f"{twins[0]}{more}; nothing was sent",
            "applying one of them deletes what only the other has: put them together, rename one, or say "
            "their `account_id`",
        )


def _with_trouble(outcome: Outcome, trouble: Trouble) -> Outcome:
    return replace(outcome, trouble=trouble)


def in_short(text: str) -> str:
    """So much of a text as a line of a table takes."""
    return text if len(text) <= MAX_WORDS else f"{text[:MAX_WORDS]}…"
