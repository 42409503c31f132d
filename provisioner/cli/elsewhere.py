"""`--executor`: the groups of environments are worked on by other processes, with credentials of their own.

What is sent names functions and specs, and holds options; every worker has the same version of this program
and the same specs by the same names. What comes back are outcomes.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from provisioner import __version__
from provisioner.errors import Refused, UsageError
from provisioner.lazy_dataclass import dataclass
from provisioner.many.executors import STOPPED, Open, run_elsewhere
from provisioner.many.runner import Group, Work, grouped, run_here
from provisioner.many.spec_file import SpecFile
from provisioner.secrecy import learn_from_environment, without_secrets

if TYPE_CHECKING:
    from provisioner.aws.client import Aws
    from provisioner.aws.connect import Options
    from provisioner.cli.plan_many import Planning
    from provisioner.kinds.base import Reader
    from provisioner.many.jobs import Job
    from provisioner.many.outcome import Outcome
    from provisioner.many.permit import Permit
    from provisioner.model import Environment


class Task(NamedTuple):
    """What is sent for one group. `shared`: what one environment reads answers the others."""

    version: str
    specs: tuple[SpecFile, ...]
    load: Callable[[SpecFile], Environment]
    work: Work
    options: Options
    shared: bool


@dataclass(frozen=True)
class Elsewhere:
    """The other processes, and how they load a spec. `is_here`: with the AWS configuration that is here."""

    open: Open
    load: Callable[[SpecFile], Environment]
    options: Options
    is_here: bool = False

    def check_login(self, environments: Iterable[Environment]) -> None:
        """Raises UsageError where each process would ask for a code, as far as that is known here."""
        from provisioner.aws.connections import Connections

        if self.is_here and Connections(self.options).ask_for_code(environments):
            raise UsageError(
                "--executor processes: a profile asks for a code (MFA), and each process would ask for one",
                "leave out --executor, which asks once for all, or use credentials that ask for no code",
            )

    def outcomes(
        self,
        groups: Sequence[Group],
        work_of: Callable[[Group], Work],
        stop: threading.Event,
        shared: bool = True,
    ) -> Iterator[Outcome]:
        """One outcome for each job, as the groups end. Raises UsageError and ProvisionerError."""
        # What a variable says here, it need not say there.
        options = replace(self.options, local=self.options.is_local, verbose=False)

        def task_of(group: Group) -> Task:
            specs = tuple(job.spec for job in group.jobs)
            return Task(__version__, specs, self.load, work_of(group), options, shared)

        return run_elsewhere(self.open, groups, task_of, do_task, stop)

    def applied(
        self,
        jobs: Sequence[Job],
        planning: Planning,
        planned: Mapping[str, Outcome],
        stop: threading.Event,
    ) -> Iterator[Outcome]:
        """What became of each job, whose plan was approved."""
        from provisioner.many.permit import permit_of

        def work_of(group: Group) -> Work:
            plans = {job.place: planned[job.place].plan for job in group.jobs}
            permits = {place: permit_of(plan) for place, plan in plans.items() if plan}
            return partial(apply_permitted, planning=planning, permits=permits)

        for outcome in self.outcomes(grouped(jobs), work_of, stop, shared=False):
            before = planned[outcome.place]
            # What was approved is what was planned here.
            data = {**before.data, **{key: outcome.data[key] for key in ("result",) if key in outcome.data}}
            yield replace(outcome, plan=before.plan, data=data)


def do_task(task: Task) -> list[Outcome]:
    """Done by a worker: one outcome for each spec, and nothing of its credentials in any.

    Raises UsageError where this is another version.
    """
    if task.version != __version__:
        raise UsageError(
            f"a worker has version {__version__} of provisioner, and this is {task.version}",
            "install the same on all workers",
        )
    from provisioner.aws.connections import Connections
    from provisioner.many.jobs import load_jobs

    learn_from_environment(os.environ)
    jobs, unusable = load_jobs(task.specs, task.load)
    outcomes = run_here(jobs, task.work, Connections(task.options), STOPPED, task.shared)
    return [_without_secrets(outcome) for outcome in (*unusable, *outcomes)]


def apply_permitted(
    job: Job, aws: Aws, _reader: Reader, planning: Planning, permits: Mapping[str, Permit]
) -> Outcome:
    """Done by a worker: observe one environment, and carry out what was approved, or what is left of it where
    a worker has died of it.

    Raises Refused, with nothing changed, where its plan is another one, and ProvisionerError.
    """
    from provisioner.apply import Executor
    from provisioner.aws.client import WritingAws
    from provisioner.cli.afterwards import told_after
    from provisioner.many.permit import not_permitted
    from provisioner.many.plans import plan_outcome
    from provisioner.reconcile import converge

    began = time.monotonic()
    plan = planning.plan(job, aws)
    other = not_permitted(permits[job.place], plan)
    if other:
        raise Refused(
            f"AWS is not as it was when the plan was shown: {other}; nothing was changed there",
            "look at a new plan, then apply again",
        )
    executor = Executor(WritingAws.over(aws), lambda _: None, STOPPED)
    result = converge(plan, lambda: planning.plan(job, aws), executor.execute, STOPPED)
    seconds = time.monotonic() - began
    before = plan_outcome(job, plan)
    made = told_after(job, aws, planning, before, plan, result, STOPPED.is_set(), seconds)
    return made if plan.changes else replace(made, words="nothing was left to do")


def _without_secrets(outcome: Outcome) -> Outcome:
    """An outcome as it may leave the process that knows the secrets."""
    trouble = outcome.trouble
    if trouble:
        trouble = replace(
            trouble,
            message=without_secrets(trouble.message),
            hint=without_secrets(trouble.hint) if trouble.hint else None,
            lines=tuple(map(without_secrets, trouble.lines)),
            # Told by their lines.
            problems=(),
        )
    results = tuple(_without_secrets_in_failure(result) for result in outcome.result)
    words, data = without_secrets(outcome.words), _shown(outcome.data)
    subject = outcome.subject
    # What a destroy has left, in lines, or why that is not known.
    if isinstance(subject, tuple) and all(isinstance(text, str) for text in subject):
        subject = tuple(map(without_secrets, subject))
    return replace(outcome, words=words, trouble=trouble, data=data, result=results, subject=subject)


def _without_secrets_in_failure(result: Any) -> Any:
    failure = result.failure
    if failure is None:
        return result
    hint = without_secrets(failure.hint) if failure.hint else None
    lines = tuple(map(without_secrets, failure.lines))
    return replace(
        result, failure=replace(failure, message=without_secrets(failure.message), hint=hint, lines=lines)
    )


def _shown(value: Any) -> Any:
    match value:
        case str():
            return without_secrets(value)
        case Mapping():
            return {key: _shown(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_shown(inner) for inner in value]
    return value
