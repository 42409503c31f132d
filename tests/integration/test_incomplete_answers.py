"""Answers of AWS that lack a field: one clear error, or taken as absent, and nothing is changed for it.

What is read is recorded on the local AWS, where nothing is to do. Then each field of each answer in turn is
missing, or has no content. That is all that boto lets through: it reads XML by AWS's models, in which nothing
is null, and refuses what is of another type; see tests/unit/kinds/test_incomplete.py for those of JSON.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pytest

from provisioner.aws.client import Aws, Target
from provisioner.errors import ProvisionerError
from provisioner.kinds import KINDS
from provisioner.model import Environment, Plan
from provisioner.observe import observe
from provisioner.plan import plan
from provisioner.reconcile import beyond
from provisioner.render.as_json import plan_data
from provisioner.render.as_status import status_data, status_text
from provisioner.render.as_text import plan_text
from provisioner.spec import load
from tests.support.cloud import Cloud
from tests.support.program import Program
from tests.support.specs import IMAGE, PROBE, having

BOX = "i-0123456789abcdef0"
SPEC = having(
    PROBE,
    fleets__worker__name="worker-{index}",
    fleets__worker__volumes=[{"device": "/dev/sdf", "size_gb": 5}],
    fleets__spot={"count": 1, "image": IMAGE, "instance_type": "t3.micro", "market": "spot"},
    attachments={"box": {"instance_profile": "worker", "instances": [BOX]}},
)
# Policies are read as what they say; whatever is missing in one is missing in the policy.
WHOLE = ("PolicyDocument", "AssumeRolePolicyDocument", "ResponseMetadata")

Path = tuple[str | int, ...]
Answers = Mapping[tuple[str, str, str], dict[str, Any]]


class Recording(Aws):
    """A connection that remembers what it was answered."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.recorded: dict[tuple[str, str, str], dict[str, Any]] = {}

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        answer = super().call(service, operation, **params)
        return self.recorded.setdefault(asked(self.target.region, operation, params), answer)


class Replaying(Aws):
    """Gives the answers that were recorded; what is asked for anew is asked of the connection."""

    def __init__(self, live: Aws, answers: Answers) -> None:
        self.__dict__.update(live.__dict__)
        self.live = live
        self.replayed = answers

    def in_region(self, region: str) -> Aws:
        return Replaying(self.live.in_region(region), self.replayed)

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        known = self.replayed.get(asked(self.target.region, operation, params))
        return self.live.call(service, operation, **params) if known is None else known


def asked(region: str, operation: str, params: Mapping[str, Any]) -> tuple[str, str, str]:
    return region, operation, json.dumps(params, sort_keys=True)


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of all fields; of lists the first item stands for all."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name != "ResponseMetadata":
                yield (*path, name)
                yield from () if name in WHOLE else paths(inner, (*path, name))
    elif isinstance(value, list) and value:
        yield from paths(value[0], (*path, 0))


def changed(answer: dict[str, Any], path: Path, change: Callable[[Any, str | int], None]) -> dict[str, Any]:
    whole = copy.deepcopy(answer)
    inner: Any = whole
    for step in path[:-1]:
        inner = inner[step]
    change(inner, path[-1])
    return whole


def missing(holder: Any, name: str | int) -> None:
    del holder[name]


def empty(holder: Any, name: str | int) -> None:
    # An element without content. Where a number or a time should be, it is no answer of AWS's.
    holder[name] = type(holder[name])() if isinstance(holder[name], (str, dict, list)) else holder[name]


HOW = {"missing": missing, "empty": empty}


def planned(environment: Environment, aws: Aws, destroying: bool) -> Plan:
    made = plan(observe(environment, aws, KINDS, destroying, deep=True), KINDS)
    plan_text(made, 100, True)
    json.dumps(plan_data(made))
    return made


def look(environment: Environment, aws: Aws) -> None:
    world = observe(environment, aws, KINDS, looking=True)
    every = {*world.environment.resources, *world.observation.resources}
    told = {
        str(at): kind.status(at, world.desired(at), world.observed(at), world)
        for kind in KINDS
        for at in sorted(every)
        if at.kind == kind.name
    }
    subject = (environment.name, environment.region, world.identity.account_id, told)
    status_text(*subject, local=True)
    json.dumps(status_data(*subject))


@pytest.fixture
def environment(program: Program, cloud: Cloud) -> Environment:
    cloud.stranger(BOX)
    done = program.apply(SPEC)
    assert done.code == 0, done.said
    return load(str(program.write(SPEC)), KINDS)


@pytest.fixture
def live(environment: Environment, cloud: Cloud) -> Recording:
    return Recording(Target(environment.region, endpoint_url=cloud.server.endpoint_url, is_local=True))


def each_incomplete(live: Recording) -> Iterator[tuple[str, Aws]]:
    """What is wrong with an answer, in words, and a connection that gives that answer."""
    answers = dict(live.recorded)
    for asked_for in answers:
        for path in paths(answers[asked_for]):
            for how, change in HOW.items():
                name = f"{asked_for[1]} {'.'.join(map(str, path)).replace('.0', '[]')} {how}"
                answer = changed(answers[asked_for], path, change)
                yield name, Replaying(live, {**answers, asked_for: answer})


def what_comes_of(act: Callable[[], Any]) -> Any:
    """What it returns, or one clear error. Anything else is a bug."""
    try:
        return act()
    except ProvisionerError as error:
        return error


def does(made: Plan) -> set[str]:
    """What a plan does, in short; nothing if it is refused."""
    return {f"{change.action} {change.address}" for change in made.changes if not made.refusals}


# What AWS leaves out where there is none of it, and what an empty list says: that there are none.
ROLE, PROFILE = "update role/worker", "update instance_profile/worker"
ROLES, INSTANCES = "GetAccountAuthorizationDetails RoleDetailList[]", "DescribeInstances Reservations[]"
MEANS = {
    f"{ROLES}.RolePolicyList empty": {ROLE},
    f"{ROLES}.AttachedManagedPolicies empty": {ROLE},
    f"{ROLES}.PermissionsBoundary missing": {ROLE},
    f"{ROLES}.PermissionsBoundary empty": {ROLE},
    f"{ROLES}.Tags missing": {ROLE},
    f"{ROLES}.Tags empty": {ROLE},
    "ListRoles Roles[].Description missing": {ROLE},
    "ListRoles Roles[].Description empty": {ROLE},
    "ListRoles Roles[].MaxSessionDuration missing": {ROLE},
    "GetInstanceProfile InstanceProfile.Roles empty": {PROFILE},
    "GetInstanceProfile InstanceProfile.Tags missing": {PROFILE},
    "GetInstanceProfile InstanceProfile.Tags empty": {PROFILE},
    "GetInstanceProfile InstanceProfile.Tags[].Value empty": {PROFILE},
    "DescribeInstances Reservations empty": {"create fleet/spot", "create fleet/worker"},
    f"{INSTANCES}.Instances empty": {"create fleet/spot"},
    # Without a token it is foreign, as what other tools launch is.
    f"{INSTANCES}.Instances[].ClientToken missing": {"create fleet/spot"},
    f"{INSTANCES}.Instances[].ClientToken empty": {"create fleet/spot"},
    # Of instances on demand, of those without a profile, and without tags.
    f"{INSTANCES}.Instances[].InstanceLifecycle missing": {"replace fleet/spot"},
    f"{INSTANCES}.Instances[].InstanceLifecycle empty": {"replace fleet/spot"},
    f"{INSTANCES}.Instances[].IamInstanceProfile missing": {"create attachment/box"},
    f"{INSTANCES}.Instances[].IamInstanceProfile empty": {"create attachment/box"},
    f"{INSTANCES}.Instances[].Tags missing": {"update fleet/spot"},
    f"{INSTANCES}.Instances[].Tags empty": {"update fleet/spot"},
    f"{INSTANCES}.Instances[].Tags[].Value empty": {"update fleet/spot"},
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceAttribute.html
    "DescribeInstanceAttribute UserData empty": {"replace fleet/worker"},
    "DescribeInstanceAttribute UserData.Value missing": {"replace fleet/worker"},
    "DescribeInstanceAttribute UserData.Value empty": {"replace fleet/worker"},
}


@pytest.mark.long
def test_a_plan_changes_nothing_for_it(environment: Environment, live: Recording) -> None:
    assert does(planned(environment, live, destroying=False)) == set()
    found: dict[str, set[str]] = {}
    for name, aws in each_incomplete(live):
        come = what_comes_of(partial(planned, environment, aws, destroying=False))
        if isinstance(come, Plan) and does(come):
            found.setdefault(name, set()).update(does(come))
    assert found == MEANS


@pytest.mark.long
def test_a_destroy_takes_no_more_for_it(environment: Environment, live: Recording) -> None:
    whole = planned(environment, live, destroying=True)
    more = {}
    for name, aws in each_incomplete(live):
        come = what_comes_of(partial(planned, environment, aws, destroying=True))
        if isinstance(come, Plan) and not come.refusals and (found := beyond(whole, come)):
            more[name] = found
    assert more == {}


@pytest.mark.long
def test_status_tells_what_it_can(environment: Environment, live: Recording) -> None:
    look(environment, live)
    for _, aws in each_incomplete(live):
        what_comes_of(partial(look, environment, aws))
