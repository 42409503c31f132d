"""Waiting for instances, all of them at once: one DescribeInstances a round, whoever waits for whatever.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import field

from provisioner.errors import AwsError, ChangedMeanwhile, Interrupted, ProvisionerError, WaitError
from provisioner.kinds.base import Reader
from provisioner.kinds.instances import Instance, find_instances, find_unhealthy
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Until, Wait

# Seconds before each round at least; the last one again and again. EC2 takes some ten seconds to start an
# instance, and a round is one request of the twenty a second that its bucket refills with, for 1000 members:
# https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
ROUNDS = (0.2, 0.5)
# What takes longer is looked at less often: after a twentieth of what it has taken so far, up to this.
SHARE_OF_WAIT = 0.05
LONGEST_S = 5.0
# A look of several pages, or one that was throttled because others draw on the same bucket, takes longer, and
# is then that many times as far from the next.
TIMES_A_LOOK = 2.0


# What to do about instances that EC2 has ended instead of starting them.
AS_IT_IS = "apply again to try again"
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/troubleshooting-launch.html
OF_A_KEY = (
    "mostly a volume's KMS key that is not there, is disabled or may not be used: check `kms_key_id`, or the "
    "key that the account encrypts with by default, then apply again"
)

_STARTING = (Until.RUNNING, Until.STARTED, Until.HEALTHY)


@dataclass
class _Waiting:
    wait: Wait
    on_progress: Callable[[int, int], None]
    began: float
    deadline: float
    over: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None
    observed: Mapping[str, Instance] = field(default_factory=dict)


class Waiter:
    """Lets many threads wait for instances while one of them asks for all."""

    def __init__(
        self, reader: Reader, stop: threading.Event, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._reader = reader
        self._stop = stop
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []

    @property
    def waiting(self) -> tuple[Wait, ...]:
        """What is being waited for right now."""
        with self._lock:
            return tuple(waiting.wait for waiting in self._waiting)

    def wait(
        self, wait: Wait, on_progress: Callable[[int, int], None] = lambda done, total: None
    ) -> Mapping[str, Instance]:
        """All instances that were seen, once the wait is over. Raises WaitError, AwsError, Interrupted."""
        now = self._clock()
        waiting = _Waiting(wait, on_progress, now, now + wait.timeout_s)
        with self._lock:
            if not self._waiting:
                threading.Thread(target=self._rounds, daemon=True).start()
            self._waiting.append(waiting)
        waiting.over.wait()
        if waiting.error:
            raise waiting.error
        return waiting.observed

    def _rounds(self) -> None:
        looked_s = 0.0
        for number in itertools.count():
            asked: list[_Waiting] = []
            try:
                waited_s = self._clock() - max(waiting.began for waiting in self._asked())
                self._stop.wait(pause_s(number, waited_s, looked_s))
                asked = self._asked()
                began = self._clock()
                self._round(asked)
                looked_s = self._clock() - began
            except BaseException as error:  # noqa: BLE001  whoever waits has to hear of it, whatever it is
                _end(asked or self._asked(), error)
            with self._lock:
                self._waiting = [waiting for waiting in self._waiting if not waiting.over.is_set()]
                if not self._waiting:
                    return

    def _asked(self) -> list[_Waiting]:
        with self._lock:
            return list(self._waiting)

    def _round(self, asked: list[_Waiting]) -> None:
        if self._stop.is_set():
            raise Interrupted("interrupted while waiting; AWS goes on by itself")
        instances = {
            instance.id: instance
            for scope in {scope for waiting in asked for scope in waiting.wait.scopes}
            for instance in find_instances(self._reader, scope)
        }
        by_state = [waiting for waiting in asked if waiting.wait.until is not Until.HEALTHY]
        by_checks = [waiting for waiting in asked if waiting.wait.until is Until.HEALTHY]
        for waiting in by_state:
            self._look(waiting, instances)
        try:
            unhealthy = self._unhealthy(by_checks, instances)
        except AwsError as error:
            _end(by_checks, error)
            return
        for waiting in by_checks:
            self._look(waiting, instances, unhealthy)

    def _unhealthy(self, asked: list[_Waiting], instances: Mapping[str, Instance]) -> frozenset[str]:
        """Those that run without being healthy, of the instances that somebody waits for to be."""
        running = {
            name
            for waiting in asked
            for name in waiting.wait.instances
            if name in instances and instances[name].state == "running"
        }
        return find_unhealthy(self._reader, sorted(running))

    def _look(
        self, waiting: _Waiting, instances: Mapping[str, Instance], unhealthy: Collection[str] = ()
    ) -> None:
        wait = waiting.wait
        failed = [instances[i] for i in wait.instances if i in instances and has_failed(wait, instances[i])]
        pending = [i for i in wait.instances if i in unhealthy or not is_over(wait, instances.get(i))]
        waiting.on_progress(len(wait.instances) - len(pending), len(wait.instances))
        if failed:
            reasons = sorted({instance.state_reason or "no reason given" for instance in failed})
            ids = ", ".join(instance.id for instance in failed)
            hint = OF_A_KEY if any("Client.InternalError" in text for text in reasons) else AS_IT_IS
            waiting.error = WaitError(f"{ids} did not start: {'; '.join(reasons)}", hint)
            waiting.over.set()
        elif not pending:
            waiting.observed = instances
            waiting.over.set()
        elif self._clock() > waiting.deadline:
            waiting.error = _too_late(wait, pending)
            waiting.over.set()


def pause_s(number: int, waited_s: float, looked_s: float) -> float:
    """How many seconds to pause before a round, the first of which has the number 0.

    `waited_s`: for how long whoever came last has waited. `looked_s`: how long the last look took.
    """
    least = ROUNDS[min(number, len(ROUNDS) - 1)]
    return max(least, min(LONGEST_S, max(waited_s * SHARE_OF_WAIT, looked_s * TIMES_A_LOOK)))


def _too_late(wait: Wait, pending: Sequence[str]) -> ProvisionerError:
    minutes = round(wait.timeout_s / 60)
    if wait.until is Until.SHOWN and wait.condition:
        return ChangedMeanwhile(
            f"{', '.join(pending)} not shown as changed after {minutes} minutes",
            "somebody else may be changing the same: let them finish, then apply again",
        )
    return WaitError(
        f"{', '.join(pending)} not {wait.until} after {minutes} minutes",
        "look at them with `status`; applying again goes on from here",
    )


def _end(asked: Iterable[_Waiting], error: BaseException) -> None:
    for waiting in asked:
        waiting.error = error
        waiting.over.set()


def is_over(wait: Wait, instance: Instance | None) -> bool:
    """Whether nothing more needs to be waited for at one instance; None: AWS does not show it."""
    if wait.until is Until.TERMINATED:
        return instance is None or instance.state == "terminated"
    if wait.until is Until.LEAVING:
        return instance is None or not instance.is_live
    if instance is None:
        return False
    if not instance.is_live:
        return wait.until not in _STARTING
    if wait.condition and not wait.condition.holds(instance):
        return False
    if wait.until is Until.SHOWN:
        return True
    if wait.until is Until.RUNNING:
        return instance.state != "pending"
    if wait.until in (Until.STARTED, Until.HEALTHY):
        return instance.state == "running"
    if wait.until is Until.STOPPED:
        return instance.state == "stopped"
    profile = instance.profile
    if wait.until is Until.NO_PROFILE:
        return profile is None
    return bool(profile and profile.arn == wait.profile_arn and profile.id not in wait.stale_profiles)


def has_failed(wait: Wait, instance: Instance) -> bool:
    """Whether the instance ended before it ran: an accepted launch can still fail.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/troubleshooting-launch.html
    """
    return wait.until in _STARTING and not instance.is_live
