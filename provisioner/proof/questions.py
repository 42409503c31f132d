"""The calls of a plan that are asked about: of those that are alike in all that rights can depend on, one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from provisioner.lazy_dataclass import dataclass
from provisioner.model import Address, Call, Change, Output, Plan, SentAt, foretold_calls
from provisioner.naming import INDEX_TAG, LAUNCH_TAG, NAME_TAG
from provisioner.proof.requests import MARKET, NEW

ON_INSTANCES = frozenset({"StartInstances", "StopInstances", "TerminateInstances", "CreateTags"})
# What names the thing that a call is about, and is another one in each of many calls that are alike.
_TARGETS = frozenset(
    {
        "InstanceId",
        "InstanceIds",
        "VolumeId",
        "NetworkInterfaceId",
        "AssociationId",
        "Resources",
        "ClientToken",
    }
)
# Tags of which the value is another one on each member.
_OWN_VALUES = frozenset({NAME_TAG, INDEX_TAG, LAUNCH_TAG})
# How many things one call is asked about: what they have in common decides.
MAX_IDS = 50


@dataclass(frozen=True)
class Question:
    """One operation of one change: how often it is planned, and the calls that stand for all of them."""

    address: Address
    service: str
    operation: str
    count: int
    calls: tuple[Call, ...]
    instances: tuple[str, ...] = ()


@dataclass(frozen=True)
class Coming:
    """What the plan makes, and so is not there when it is asked: names of profiles and of key pairs."""

    profiles: frozenset[str]
    keys: frozenset[str]


def questions(plan: Plan, tags: Mapping[str, Mapping[str, str]]) -> list[Question]:
    """What is asked about a plan, in its order; `tags` are those of the instances that it touches."""
    return [question for change in plan.changes if not change.deferred for question in _of(change, tags)]


def _of(change: Change, tags: Mapping[str, Mapping[str, str]]) -> Iterator[Question]:
    foretold = foretold_calls(change.steps)
    for planned in change.calls:
        name = (planned.service, planned.operation)
        known = [call for call in foretold if (call.service, call.operation) == name]
        calls = list(_of_launches(known)) or known or list(_made_up(planned.operation, change))
        chosen = tuple(_one_of_each(map(_askable, calls), tags))
        yield Question(change.address, *name, planned.count, chosen, change.instances)


def _of_launches(calls: Sequence[Call]) -> Iterator[Call]:
    """Of launches those that have each type and each subnet at least once: EC2 takes two a second.

    https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
    """
    launches = [call for call in calls if call.operation == "RunInstances"]
    seen: set[Any] = set()
    for call in [launch for launch in launches if launch.params.get("MaxCount")] or launches:
        interface = (call.params.get("NetworkInterfaces") or [{}])[0]
        subnet = call.params.get("SubnetId") or interface.get("SubnetId")
        parts = {("subnet", subnet), ("type", call.params["InstanceType"], MARKET in call.params)}
        if not parts <= seen:
            seen |= parts
            yield call


def _made_up(operation: str, change: Change) -> Iterator[Call]:
    """A call on the instances of a change, of which no step says its parameters."""
    if operation not in ON_INSTANCES:
        return
    ids = list(change.instances[:MAX_IDS]) or [NEW]
    if operation == "CreateTags":
        yield Call("ec2", operation, {"Resources": ids, "Tags": [{"Key": LAUNCH_TAG, "Value": ""}]})
    else:
        yield Call("ec2", operation, {"InstanceIds": ids})


def _askable(call: Call) -> Call:
    """A call as it can be asked about: with a count, and without a token."""
    params = dict(call.params)
    if call.operation == "RunInstances":
        params.pop("ClientToken", None)
        params["MaxCount"] = max(1, params.get("MaxCount", 1))
    if call.operation == "CreateTags" and "Resources" not in params:
        params["Resources"] = [NEW]
    return Call(call.service, call.operation, params)


def _one_of_each(calls: Iterable[Call], tags: Mapping[str, Mapping[str, str]]) -> Iterator[Call]:
    seen: set[str] = set()
    for call in calls:
        key = repr((call.operation, sorted(_alike(call.params).items()), _tags_of(call, tags)))
        if key not in seen:
            seen.add(key)
            yield call


def _alike(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters without which thing a call is about, and without values that are of one thing only."""
    return {
        name: [
            {**tag, "Value": ""} if isinstance(tag, Mapping) and tag.get("Key") in _OWN_VALUES else tag
            for tag in value
        ]
        if name == "Tags"
        else value
        for name, value in params.items()
        if name not in _TARGETS or is_unknown(value)
    }


def _tags_of(call: Call, tags: Mapping[str, Mapping[str, str]]) -> list[Any]:
    """The tags of what a call is about: rights can depend on them."""
    ids = [
        call.params.get("InstanceId"),
        *call.params.get("InstanceIds", ()),
        *call.params.get("Resources", ()),
    ]
    return [
        {key: value for key, value in tags[id_].items() if key not in _OWN_VALUES}
        for id_ in ids
        if isinstance(id_, str) and id_ in tags
    ]


def unlike(
    ids: Iterable[str], tags: Mapping[str, Mapping[str, str]], profiles: Mapping[str, str]
) -> tuple[str, ...]:
    """Of instances that have a profile, one of each that rights can tell apart; else the first."""
    ids = list(ids)
    found: dict[str, str] = {}
    for id_ in ids:
        if id_ in profiles:
            told = sorted((key, value) for key, value in tags.get(id_, {}).items() if key not in _OWN_VALUES)
            found.setdefault(repr((told, profiles[id_])), id_)
    return tuple(found.values()) or tuple(ids[:1])


def is_unknown(value: Any) -> bool:
    """Whether there is something in a value that AWS has yet to assign."""
    if isinstance(value, Output):
        return True
    if isinstance(value, Mapping):
        return any(map(is_unknown, value.values()))
    return isinstance(value, list | tuple) and any(map(is_unknown, value))


def settled(value: Any, now: datetime) -> Any:
    """A value with the times that it would have if it were sent now."""
    if isinstance(value, SentAt):
        return value.sent(now)
    if isinstance(value, Mapping):
        return {name: settled(inner, now) for name, inner in value.items()}
    return [settled(inner, now) for inner in value] if isinstance(value, list) else value


def is_on_new(call: Call) -> bool:
    """Whether a call is about something that is still to be made."""
    rows = call.params.get("InstanceCreditSpecifications") or ()
    targets = [call.params.get(name) for name in _TARGETS] + [row.get("InstanceId") for row in rows]
    return any(target == NEW or (isinstance(target, list) and NEW in target) for target in targets)


def coming(plan: Plan) -> Coming:
    """The names of what the plan makes that its calls name."""
    calls = [call for change in plan.changes for call in foretold_calls(change.steps)]

    def names(operation: str, parameter: str) -> frozenset[str]:
        return frozenset(str(call.params[parameter]) for call in calls if call.operation == operation)

    return Coming(names("CreateInstanceProfile", "InstanceProfileName"), names("ImportKeyPair", "KeyName"))


def without_coming(call: Call, made: Coming) -> tuple[Call, list[str]]:
    """A launch without what is not there yet, and what that is, in words."""
    params, missing = dict(call.params), []
    if (params.get("IamInstanceProfile") or {}).get("Name") in made.profiles:
        missing.append("its instance profile")
        del params["IamInstanceProfile"]
    if params.get("KeyName") in made.keys:
        missing.append("its key pair")
        del params["KeyName"]
    if is_unknown(params.get("SecurityGroupIds")) or is_unknown(params.get("NetworkInterfaces")):
        missing.append("its security groups")
        params.pop("SecurityGroupIds", None)
        interfaces = params.get("NetworkInterfaces")
        if interfaces:
            params["NetworkInterfaces"] = [
                {name: value for name, value in interface.items() if name != "Groups"}
                for interface in interfaces
            ]
    return Call(call.service, call.operation, params), missing
