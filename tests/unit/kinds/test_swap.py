"""Another role in a profile that instances use: who takes it up, and when the former role may go."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from provisioner.errors import AwsError
from provisioner.kinds.attachment.observed import ObservedAttachment
from provisioner.kinds.instance_profile.binding import BindAnew
from provisioner.kinds.instance_profile.observed import PENDING, Users, is_unfinished
from provisioner.kinds.instance_profile.role_swap import Exchange
from provisioner.kinds.instances import Binding, Instance
from provisioner.model import Address, CallCount, Foretold, Plan, Wait
from provisioner.naming import ATTACHED_TAG, SWAPPED_TAG
from provisioner.reconcile import beyond
from tests.support.build import (
    OURS,
    PROFILE,
    PROFILE_ARN,
    ROLE,
    calls,
    environment,
    found_profile,
    observed_role,
    planned,
    told,
)
from tests.support.scripted import Scripted

SECTIONS = {"roles": {"web": {}}, "instance_profiles": {"web": {"role": "web"}}}
OLD = Address("role", "old")
ROLES = {ROLE: observed_role(), OLD: observed_role(name="env-old", profiles={"env-web": "/provisioner/env/"})}
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def running(*ids: str, state: str = "running") -> tuple[Instance, ...]:
    bound = Binding(PROFILE_ARN, "AIPA1")
    return tuple(
        Instance(instance_id, state, "us-east-1a", "t3.micro", "ami-1", "", profile=bound)
        for instance_id in ids
    )


def users(*members: Instance, foreign: tuple[str, ...] = ()) -> Users:
    return Users(members, foreign, {member.id: f"iip-assoc-{member.id}" for member in members})


def swap(seen_users: Users, **differing: Any) -> Plan:
    """The plan for a profile that holds env-old and is to hold env-web."""
    holding = {"roles": ("env-old",), "role_addresses": frozenset({OLD})}
    return planned(
        environment(**SECTIONS), {**ROLES, PROFILE: found_profile(users=seen_users, **holding | differing)}
    )


SWAPS: dict[str, tuple[Users, list[str]]] = {
    "nobody uses it": (
        users(),
        [
            "update instance_profile/web role: RemoveRoleFromInstanceProfile AddRoleToInstanceProfile",
            "delete role/old: DeleteRole",
        ],
    ),
    "instances of the environment use it": (
        users(*running("i-1", "i-2")),
        [
            "update instance_profile/web role: "
            "TagInstanceProfile RemoveRoleFromInstanceProfile AddRoleToInstanceProfile",
            "update instance_profile/web credentials i-1,i-2: "
            "DisassociateIamInstanceProfile x2 AssociateIamInstanceProfile x2 UntagInstanceProfile",
            "delete role/old: DeleteRole",
        ],
    ),
    "somebody else's instance uses it": (
        users(foreign=("i-9",)),
        [
            "update instance_profile/web role: "
            "TagInstanceProfile RemoveRoleFromInstanceProfile AddRoleToInstanceProfile",
            "delete role/old: not done",
        ],
    ),
    "both use it": (
        users(*running("i-1"), foreign=("i-9",)),
        [
            "update instance_profile/web role: "
            "TagInstanceProfile RemoveRoleFromInstanceProfile AddRoleToInstanceProfile",
            "update instance_profile/web credentials i-1: "
            "DisassociateIamInstanceProfile AssociateIamInstanceProfile TagInstanceProfile",
            "delete role/old: not done",
        ],
    ),
}


def lines(plan: Plan) -> list[str]:
    return [
        f"{told(change)}: {'not done' if change.deferred else ' '.join(calls(change))}"
        for change in plan.changes
    ]


@pytest.mark.parametrize("case", SWAPS)
def test_the_role_of_a_profile_is_exchanged(case: str) -> None:
    seen_users, expected = SWAPS[case]
    plan = swap(seen_users)
    assert lines(plan) == expected
    delete = plan.changes[-1]
    assert PROFILE in delete.needs
    if delete.deferred:
        assert "i-9" in delete.deferred
        assert "up to an hour" in delete.deferred


def test_running_instances_of_a_profile_without_a_role_take_up_the_new_one_too() -> None:
    plan = swap(users(*running("i-1")), roles=(), role_addresses=frozenset())
    assert [told(change) for change in plan.changes[:2]] == [
        "update instance_profile/web role",
        "update instance_profile/web credentials i-1",
    ]


# What the mark on a profile that holds the wanted role says, who uses it, and the plan.
MARKED: dict[str, tuple[str, Users, list[str]]] = {
    "killed before the instances had it": (
        PENDING,
        users(*running("i-1")),
        [
            "update instance_profile/web credentials i-1: "
            "DisassociateIamInstanceProfile AssociateIamInstanceProfile UntagInstanceProfile",
            "delete role/old: DeleteRole",
        ],
    ),
    "killed, and the instances are gone": (
        PENDING,
        users(),
        [
            f"update instance_profile/web tags.{SWAPPED_TAG}: UntagInstanceProfile",
            "delete role/old: DeleteRole",
        ],
    ),
    "somebody else has written something there": (
        "whatever",
        users(*running("i-1")),
        [
            "update instance_profile/web credentials i-1: "
            "DisassociateIamInstanceProfile AssociateIamInstanceProfile UntagInstanceProfile",
            "delete role/old: DeleteRole",
        ],
    ),
    "the same, and no instance is there": (
        "",
        users(),
        [
            f"update instance_profile/web tags.{SWAPPED_TAG}: UntagInstanceProfile",
            "delete role/old: DeleteRole",
        ],
    ),
    "only others may have the former role": (
        "2026-01-01T12:00:00Z",
        users(*running("i-1"), foreign=("i-9",)),
        ["delete role/old: not done"],
    ),
    "nobody may have it any more": ("2026-01-01T12:00:00Z", users(), ["delete role/old: DeleteRole"]),
}


@pytest.mark.parametrize("case", MARKED)
def test_what_a_killed_run_left_is_finished(case: str) -> None:
    said, seen_users, expected = MARKED[case]
    plan = swap(
        seen_users, roles=("env-web",), role_addresses=frozenset({ROLE}), tags={**OURS, SWAPPED_TAG: said}
    )
    assert lines(plan) == expected
    if said == PENDING:
        assert PROFILE in plan.changes[-1].needs


@pytest.mark.parametrize(
    ("said", "unfinished"),
    [
        (None, False),
        (PENDING, True),
        (NOW - timedelta(minutes=59), True),
        (NOW - timedelta(minutes=61), False),
        ("by hand", True),
        (NOW + timedelta(minutes=5), True),
        (NOW + timedelta(days=365), False),
    ],
)
def test_how_long_instances_may_have_a_former_role(said: Any, unfinished: bool) -> None:
    written = f"{said:%Y-%m-%dT%H:%M:%SZ}" if isinstance(said, datetime) else said
    assert is_unfinished({SWAPPED_TAG: written} if written else {}, NOW) is unfinished


def test_few_instances_at_a_time_are_without_a_profile() -> None:
    members = running(*(f"i-{number:03d}" for number in range(50)))
    change = swap(users(*members)).changes[1]
    without: set[str] = set()
    most = 0
    done: list[str] = []
    for step in change.steps:
        for call in step.foretold() if isinstance(step, Foretold) else ():
            identifier = str(call.params.get("AssociationId", call.params.get("InstanceId"))).removeprefix(
                "iip-assoc-"
            )
            if call.operation == "DisassociateIamInstanceProfile":
                without.add(identifier)
                most = max(most, len(without))
            elif call.operation == "AssociateIamInstanceProfile":
                without.remove(identifier)
                done.append(identifier)
    assert done == [member.id for member in members]
    assert 0 < most <= 20
    assert CallCount("ec2", "AssociateIamInstanceProfile", 50) in change.calls


def test_an_instance_that_starts_is_waited_for_first() -> None:
    change = swap(users(*running("i-1", state="pending"))).changes[1]
    assert isinstance(change.steps[0], Wait)


def refused(operation: str, code: str) -> AwsError:
    return AwsError("ec2", operation, code, "no", 400)


FREE, BIND = "DisassociateIamInstanceProfile", "AssociateIamInstanceProfile"
# What the second of three instances is answered, the state that it is in then, and what is bound again.
UNBOUND: dict[str, tuple[AwsError, str, list[str]]] = {
    "it was terminated meanwhile": (
        refused(FREE, "InvalidAssociationID.NotFound"),
        "terminated",
        ["i-1", "i-3"],
    ),
    "it is free already, as after a lost reply": (
        refused(FREE, "InvalidAssociationID.NotFound"),
        "running",
        ["i-1", "i-2", "i-3"],
    ),
    "it may not be changed": (refused(FREE, "UnauthorizedOperation"), "running", ["i-1", "i-3"]),
}


@pytest.mark.parametrize("case", UNBOUND)
def test_what_one_instance_is_refused_leaves_no_other_without_a_profile(case: str) -> None:
    answer, state, expected = UNBOUND[case]
    members = (*running("i-1"), *running("i-2", state=state), *running("i-3"))
    aws = Scripted({}, answer, {}, *({} for _ in expected), shown=members)
    step = BindAnew("env-web", tuple((member.id, f"iip-assoc-{member.id}") for member in members), ())
    may_be_gone = answer.code == "InvalidAssociationID.NotFound"
    with nullcontext() if may_be_gone else pytest.raises(AwsError, match="no"):
        aws.run(step)
    assert [call.params["InstanceId"] for call in aws.sent if call.operation == BIND] == expected


def test_a_role_that_is_out_of_the_profile_already_is_followed_by_the_new_one() -> None:
    """As after a lost reply: a run that stopped here would leave the profile without a role."""
    gone = AwsError("iam", "RemoveRoleFromInstanceProfile", "NoSuchEntity", "no", 404)
    aws = Scripted(gone, {})
    aws.run(Exchange("env-web", ("env-old",), "env-web"))
    assert aws.operations == ["RemoveRoleFromInstanceProfile", "AddRoleToInstanceProfile"]


def test_what_was_re_associated_with_approval_may_be_bound_again_by_a_later_round() -> None:
    """To its own profile, and as long as it has none: what others have bound meanwhile is not taken off."""
    box = Address("attachment", "box")
    spec = environment(
        **SECTIONS,
        attachments={"box": {"instance_profile": "web", "instances": ["i-00000001"]}},
    )
    (bound,) = running("i-00000001")
    tags = {**OURS, ATTACHED_TAG: "yes"}
    holding = {"roles": ("env-old",), "role_addresses": frozenset({OLD}), "tags": tags}
    approved, free, theirs = (
        planned(
            spec,
            {
                **ROLES,
                PROFILE: found_profile(users=users(bound), **holding),
                box: ObservedAttachment(chosen=(replace(bound, profile=profile),)),
            },
        )
        for profile in (Binding(PROFILE_ARN, "AIPA1"), None, Binding("arn:x/theirs", "AIPA9"))
    )
    assert box not in {change.address for change in approved.changes}
    assert beyond(approved, free) is None
    assert beyond(approved, theirs) == "i-00000001 of attachment/box would be changed"
    nothing = replace(approved, changes=())
    assert beyond(nothing, free) == "i-00000001 of attachment/box would be changed"
