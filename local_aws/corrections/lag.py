"""Lag: what was just written is not yet visible to describes.

EC2 Developer Guide, "Eventual consistency in the Amazon EC2 API"; IAM User Guide, "Troubleshoot IAM:
changes that I make are not always immediately visible". Writes see the truth, and only reads lag; but a new
security group or key pair is not known either to the calls that name it: "after you run CreateSecurityGroup
... you might get an InvalidGroup.NotFound error"
(https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from local_aws.call import Call
from local_aws.corrections.views import instance_view
from local_aws.world import Member, Region, World

T = TypeVar("T")


@contextmanager
def around(world: World, call: Call) -> Iterator[None]:
    """Keeps what a write is about to change, and shows reads of IAM, and of the index of tags, the past."""
    if call.service == "ec2" and world.faults.lag_s and not call.is_read:
        _keep_instances(world, call)
    lag_s = {"iam": world.faults.iam_lag_s, "tagging": world.faults.tag_index_lag_s}.get(call.service, 0.0)
    if call.is_read and lag_s:
        with _past_iam(world, lag_s):
            yield
        return
    if call.service == "iam" and not call.is_read and _longest_lag(world):
        _keep_iam(world)
    yield


def _longest_lag(world: World) -> float:
    """Of whatever shows what IAM has."""
    return max(world.faults.iam_lag_s, world.faults.tag_index_lag_s)


def visible(world: World, member: Member) -> dict[str, Any] | None:
    """The instance as describes show it by now; None if it is too young to be seen."""
    if not world.faults.lag_s:
        return instance_view(member)
    seen_until = world.clock.now() - world.faults.lag_s
    if member.born > seen_until:
        return None
    for at, view in member.history:
        if at > seen_until:
            return view
    member.history.clear()
    return instance_view(member)


def _keep_instances(world: World, call: Call) -> None:
    region = world.region(call.region)
    params = call.params
    ids = {*(params.get("InstanceIds") or []), *(params.get("Resources") or []), params.get("InstanceId", "")}
    if association := region.associations.get(params.get("AssociationId", "")):
        ids.add(association.instance_id)
    keep(world, region, ids)


def keep(world: World, region: Region, instance_ids: Iterable[str]) -> None:
    """Keeps how instances look now, as they are about to change; describes show that within the lag."""
    now = world.clock.now()
    for instance_id in instance_ids if world.faults.lag_s else ():
        member = region.members.get(instance_id)
        if member is not None:
            member.history.append((now, instance_view(member)))


def keep_past(world: World, region: Region, what: str, there: Callable[[], Any]) -> None:
    """Keeps what is there of some sort, as that is about to change; describes show it within the lag."""
    if not world.faults.lag_s:
        return
    now = world.clock.now()
    history = region.pasts[what]
    history.append((now, there()))
    while len(history) > 1 and history[0][0] <= now - world.faults.lag_s:
        history.pop(0)


def seen(world: World, region: Region, what: str, there: Callable[[], T]) -> T:
    """What there is of some sort, as far as it is shown by now."""
    if world.faults.lag_s:
        seen_until = world.clock.now() - world.faults.lag_s
        for at, past in region.pasts[what]:
            if at > seen_until:
                kept: T = past
                return kept
    return there()


def _keep_iam(world: World) -> None:
    now = world.clock.now()
    past = (now, copy.copy(_snapshot(world)))
    history = world.iam_history[world.partition]
    history.append(past)
    oldest = now - _longest_lag(world)
    while len(history) > 1 and history[0][0] < oldest:
        history.pop(0)


@contextmanager
def _past_iam(world: World, lag_s: float) -> Iterator[None]:
    seen_until = world.clock.now() - lag_s
    past = next((snapshot for at, snapshot in world.iam_history[world.partition] if at > seen_until), None)
    if past is None:
        yield
        return
    iam = world.iam
    present = (iam.roles, iam.instance_profiles)
    iam.roles, iam.instance_profiles = past
    try:
        yield
    finally:
        iam.roles, iam.instance_profiles = present


def _snapshot(world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    """Copies of all roles and profiles, deep enough that later changes do not show in them."""
    roles = {key: _copy_of(role) for key, role in world.iam.roles.items()}
    profiles = {}
    for key, profile in world.iam.instance_profiles.items():
        profiles[key] = _copy_of(profile)
        profiles[key].roles = [roles.get(role.id, role) for role in profile.roles]
    return roles, profiles


def _copy_of(thing: Any) -> Any:
    twin = copy.copy(thing)
    for name, value in vars(thing).items():
        if isinstance(value, dict | list | set):
            setattr(twin, name, copy.copy(value))
    return twin
