"""What is told of one environment among many after its plan was carried out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provisioner.aws.client import Aws
    from provisioner.cli.plan_many import Planning
    from provisioner.many.jobs import Job
    from provisioner.many.outcome import Outcome
    from provisioner.model import Plan
    from provisioner.reconcile import ApplyResult


def told_after(
    job: Job,
    aws: Aws,
    planning: Planning,
    before: Outcome,
    plan: Plan,
    result: ApplyResult,
    is_interrupted: bool,
    seconds: float,
) -> Outcome:
    """What became of a plan that was carried out, after what was planned `before`. Its subject is what is
    looked at once more: what a destroy has left, or where members are and what to type next."""
    from provisioner.cli.change import is_answered
    from provisioner.cli.next_steps import find_next_steps
    from provisioner.many.plans import applied_outcome
    from provisioner.render.next_steps import next_data

    outcome = applied_outcome(before, result, is_interrupted, seconds)
    if is_interrupted:
        return outcome
    if planning.destroying:
        return replace(outcome, subject=_what_is_left(job, aws))
    if result.obstacle or not (result.outcomes and all(map(is_answered, result.outcomes))):
        return outcome
    is_good = all(change.is_good for change in result.outcomes)
    steps = find_next_steps(job.environment, aws, plan, job.spec, planning.options, is_good)
    if steps is None:
        return outcome
    data = {**outcome.data, "result": {**outcome.data["result"], "next": next_data(steps)}}
    return replace(outcome, data=data, subject=steps)


def _what_is_left(job: Job, aws: Aws) -> tuple[str, ...]:
    """Looked at once more, by the tags alone: that nothing is left that costs money, or what is."""
    from provisioner.account.contents import IamContents, read_all
    from provisioner.account.environments import environments
    from provisioner.errors import ProvisionerError
    from provisioner.render.as_account import left_lines

    name = job.environment.name
    try:
        contents = read_all(aws, [job.environment.region], name)
    except ProvisionerError as error:
        return (f"It could not be read what is left of {name}: {error.message}",)
    unread = [problem for region in contents for problem in region.unread]
    return tuple(left_lines(name, environments(contents, IamContents()), unread))
