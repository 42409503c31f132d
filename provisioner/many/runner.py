"""Work on many environments: accounts and regions side by side, and in each of them a few environments.

All environments of one account and region share one connection: its login, its clients, and its rate limits,
so that nothing is sent that AWS would refuse for its rate.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING

from provisioner.errors import AwsError, Interrupted, ProvisionerError
from provisioner.lazy_dataclass import dataclass
from provisioner.many.jobs import Job, failed
from provisioner.many.outcome import Outcome
from provisioner.retry import COMMON

if TYPE_CHECKING:
    from provisioner.aws.client import Aws
    from provisioner.aws.connections import Connections
    from provisioner.kinds.base import Reader
    from provisioner.model import Environment, Login

# How many accounts and regions are worked on at once, and how many environments in each.
MAX_GROUPS_AT_ONCE = 8
MAX_AT_ONCE = 4
# The same where they share what they read: most of them wait for what others have asked.
MAX_GROUPS_SHARING, MAX_SHARING = 24, 16
NOT_BEGUN = "interrupted before it was begun"


@dataclass(frozen=True)
class Group:
    """The environments that are reached by one login, in one account and region."""

    login: Login | None
    account_id: str | None
    region: str
    jobs: tuple[Job, ...]

    @property
    def key(self) -> tuple[Login | None, str | None, str]:
        return self.login, self.account_id, self.region


# Connects to the account and region of a group. Raises ProvisionerError.
Connect = Callable[[Group], "Aws"]
# What is done for one environment: the connection is its own, and reads may be shared with others.
Work = Callable[[Job, "Aws", "Reader"], Outcome]
# A reader that answers several environments, which are of one group. Raises ProvisionerError.
Share = Callable[[Sequence["Environment"]], "Reader"]


def grouped(jobs: Iterable[Job]) -> list[Group]:
    """The jobs by login, account and region, in the order in which these first come."""
    groups: dict[tuple[Login | None, str | None, str], list[Job]] = {}
    for job in jobs:
        environment = job.environment
        groups.setdefault((environment.login, environment.account_id, environment.region), []).append(job)
    return [Group(*key, tuple(of_group)) for key, of_group in groups.items()]


def run_here(
    jobs: Iterable[Job], work: Work, connections: Connections, stop: threading.Event, shared: bool = True
) -> Iterator[Outcome]:
    """One outcome for each job, as they end. Not `shared`: what one reads answers no other."""
    share = connections.shared if shared else None
    yield from run(grouped(jobs), lambda group: connections.to(group.jobs[0].environment), work, stop, share)


def run(
    groups: Sequence[Group],
    connect: Connect,
    work: Work,
    stop: threading.Event,
    share: Share | None = None,
) -> Iterator[Outcome]:
    """One outcome for each job, as they end. Whatever goes wrong in one stops no other.

    Once `stop` is set nothing more is begun; what is in flight ends, and its outcome is told.
    """
    ended: SimpleQueue[Outcome] = SimpleQueue()
    total = sum(len(group.jobs) for group in groups)
    with ThreadPoolExecutor(
        max_workers=max(1, min(len(groups), MAX_GROUPS_SHARING if share else MAX_GROUPS_AT_ONCE))
    ) as pool:
        for group in groups:
            pool.submit(_run_group, group, connect, work, stop, share, ended.put)
        for _ in range(total):
            yield ended.get()


def _run_group(
    group: Group,
    connect: Connect,
    work: Work,
    stop: threading.Event,
    share: Share | None,
    tell: Callable[[Outcome], None],
) -> None:
    try:
        if stop.is_set():
            raise Interrupted(NOT_BEGUN)
        aws = connect(group)
        aws.heed(stop)
        environments = [job.environment for job in group.jobs]
        reader = share(environments) if share and len(environments) > 1 else None
    except Exception as error:  # noqa: BLE001  it stops no other group
        for job in group.jobs:
            tell(_failed(job, error, stop))
        return
    do = partial(_run_job, aws=aws, reader=reader, work=work, stop=stop, tell=tell)
    with ThreadPoolExecutor(max_workers=min(len(group.jobs), MAX_SHARING if share else MAX_AT_ONCE)) as pool:
        list(pool.map(do, group.jobs))


def _run_job(
    job: Job,
    aws: Aws,
    reader: Reader | None,
    work: Work,
    stop: threading.Event,
    tell: Callable[[Outcome], None],
) -> None:
    try:
        if stop.is_set():
            raise Interrupted(NOT_BEGUN)
        own = aws.apart()
        outcome = work(job, own, reader or own)
    except Exception as error:  # noqa: BLE001  it stops no other environment
        outcome = _failed(job, error, stop)
    tell(outcome)


def _failed(job: Job, error: Exception, stop: threading.Event) -> Outcome:
    # Nothing is asked again after an interruption: that, and not the answer, is what ended the work.
    if isinstance(error, AwsError) and stop.is_set() and COMMON.retry_rule_for(error):
        return failed(job, Interrupted(f"interrupted before it was asked again: {error.message}"))
    if isinstance(error, ProvisionerError):
        return failed(job, error)
    if isinstance(error, OSError):
        return failed(job, ProvisionerError(f"{type(error).__name__}: {error}"))
    hint = "this is a bug in provisioner; the same for this spec alone with -v shows where"
    return failed(job, ProvisionerError(f"unexpected {type(error).__name__}: {error}", hint))
