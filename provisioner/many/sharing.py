"""The jobs of one shard, of all that there are. Values in, values out."""

from __future__ import annotations

from collections.abc import Sequence

from provisioner.kinds import count_members
from provisioner.many.jobs import Job
from provisioner.many.outcome import Outcome
from provisioner.many.shards import Shard, Shards, Sized, shard_numbers

# What an environment takes beside its members, in members: its spec is read and its roles are compared,
# whether it has members or not. Measured: 10 ms an environment that is to be made, and 0.45 ms a
# member (docs/performance.md).
ENVIRONMENT_SIZE = 25


def of_shard(
    shard: Shard, jobs: Sequence[Job], unusable: Sequence[Outcome]
) -> tuple[list[Job], list[Outcome], Shards]:
    """Those of one shard, and what a report says of it. A spec that cannot be used is of one shard, too."""
    environments = [*map(_sized, jobs), *map(_without_size, unusable)]
    numbers = shard_numbers(environments, shard.count)
    its_own = [number == shard.number for number in numbers]
    return (
        [job for job, is_own in zip(jobs, its_own, strict=False) if is_own],
        [told for told, is_own in zip(unusable, its_own[len(jobs) :], strict=True) if is_own],
        shard.of(environments),
    )


def _sized(job: Job) -> Sized:
    environment = job.environment
    login = environment.login
    reached_by = (login.profile or "", login.role_arn or "", login.external_id or "") if login else ("",) * 3
    return Sized(
        (*reached_by, environment.account_id or "", environment.region),
        environment.name,
        ENVIRONMENT_SIZE + count_members(environment),
    )


def _without_size(unusable: Outcome) -> Sized:
    return Sized((), unusable.place, 1)
