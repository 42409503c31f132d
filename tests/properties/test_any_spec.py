"""Any spec to any spec: whatever was there and whatever others did to it, then it is as the spec says.

Random environments on a fake AWS in memory, checked by an oracle that shares no code with the program. The
fake is held against the local AWS at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.properties.any_spec.both import Account, fake_account, local_account
from tests.properties.any_spec.environments import DOCUMENTS, Spec, pairs, seldom
from tests.properties.any_spec.external_changes import EXTERNAL_CHANGES, NASTY, Hand, do
from tests.properties.any_spec.fake_parts import PARAMETER
from tests.properties.any_spec.scenario import ExternalChange, grounded, loaded, play, run
from tests.support.cloud import Cloud

number = st.integers(0, 30)
kind = st.sampled_from(sorted(EXTERNAL_CHANGES.keys() - set(NASTY)))
external_changes = st.builds(
    lambda usual, nasty: usual + nasty,
    st.lists(st.tuples(kind, number, number), max_size=12),
    seldom(st.lists(st.tuples(st.sampled_from(NASTY), number, number), min_size=1, max_size=2), 5).map(
        lambda drawn: drawn or []
    ),
)
slowness = st.sampled_from([0.0, 0.0, 0.0, 8.0])
at_leisure = settings(
    deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
any_example = given(pairs(), external_changes, st.booleans(), slowness)


def any_spec(pair: tuple[Spec, Spec], done: Sequence[ExternalChange], later: bool, slow: float) -> None:
    play(pair[0], done, later, pair[1], slow)


# Making a failing example smaller takes minutes: leave `phases` out to have that done.
@any_example
@settings(at_leisure, max_examples=12, derandomize=True, phases=[Phase.generate])
def test_any_spec_to_any_spec(
    pair: tuple[Spec, Spec], done: Sequence[ExternalChange], later: bool, slow: float
) -> None:
    any_spec(pair, done, later, slow)


@pytest.mark.long
@pytest.mark.parametrize("start", range(4))
def test_a_thousand_specs(start: int) -> None:
    thorough = settings(at_leisure, max_examples=250, phases=[Phase.generate])
    seed(start)(thorough(any_example(any_spec)))()


HEAD: Spec = {"environment": "any", "region": "us-east-1"}
ONE_PROFILE: Spec = {"roles": {"r1": {}}, "instance_profiles": {"p1": {"role": "r1"}}}
TWO_PROFILES: Spec = {"roles": {"r1": {}}, "instance_profiles": {"p0": {"role": "r1"}, "p1": {"role": "r1"}}}
STRANGER = "i-0000000000000a001"
# Both choose the same instance.
MEETING: Spec = {
    "attachments": {
        "a0": {"instance_profile": "p1", "instances": ["i-0000000000000a002"]},
        "a1": {"instance_profile": "p1", "select": {"tags": {"box": "build"}}},
    }
}


def fleet(**fields: Any) -> Spec:
    plain = {"count": 2, "image": "@image newest@", "instance_type": "t3.micro"}
    return {"fleets": {"f0": plain | fields}}


def attached(profile: str) -> Spec:
    return {"attachments": {"a0": {"instance_profile": profile, "instances": [STRANGER]}}}


def policies(*documents: Any) -> Spec:
    return {"roles": {"r1": {"inline_policies": {f"i{n}": document for n, document in enumerate(documents)}}}}


OLDER: Spec = fleet(image="@image older@")
IN_TWO: Spec = {"subnets": {"tags": {"tier": "one"}}}


# What once went wrong: what is there, what others do to it, and what is to be.
CORRECTED: list[tuple[str, Spec, list[ExternalChange], Spec]] = [
    (
        "one_key_for_two_that_leave",
        {"roles": {"r0": {"name": "any-shared"}, "r1": {"name": "shared"}}},
        [],
        {},
    ),
    (
        "tags_to_be_ignored",
        ONE_PROFILE | {"tags": {"stage": "data"}},
        [],
        ONE_PROFILE | {"tags": {"stage": "shop"}, "ignore_tags": ["stage"]},
    ),
    (
        "two_records_at_once",
        fleet(),
        [],
        fleet(termination_protection=True, shutdown_behavior="terminate"),
    ),
    ("name_in_another_case", ONE_PROFILE, [], ONE_PROFILE | {"roles": {"r1": {"name": "Any-R1"}}}),
    (
        "name_in_another_case",
        ONE_PROFILE | fleet(instance_profile="p1"),
        [],
        {"roles": {"r1": {}}, "instance_profiles": {"p1": {"role": "r1", "name": "Any-P1"}}}
        | fleet(instance_profile="p1"),
    ),
    (
        "attachments_that_move",
        TWO_PROFILES | attached("p0"),
        [],
        TWO_PROFILES | attached("p1"),
    ),
    (
        "attachments_that_meet",
        ONE_PROFILE,
        [],
        ONE_PROFILE | MEETING,
    ),
    (
        "attachments_that_meet_at_what_is_gone",
        ONE_PROFILE | MEETING,
        [("a profile's name is taken", 0, 0)],
        ONE_PROFILE | MEETING,
    ),
    ("choices_left_to_aws", fleet(associate_public_ip=True), [], fleet()),
    (
        "choices_left_to_aws",
        fleet(root_volume={"size_gb": 20, "type": "gp3"}),
        [],
        fleet(root_volume={"size_gb": 20}),
    ),
    (
        "stopping_for_long",
        TWO_PROFILES | fleet(instance_profile="p0"),
        [("a member is stopped", 0, 0)],
        TWO_PROFILES | fleet(instance_profile="p1"),
    ),
    (
        "policies_that_change_places",
        policies(DOCUMENTS[0], DOCUMENTS[4]),
        [],
        policies(DOCUMENTS[4], DOCUMENTS[0]),
    ),
    (
        "profiles_marked_late",
        ONE_PROFILE,
        [("a stranger gets our profile", 2, 0)],
        ONE_PROFILE | attached("p1"),
    ),
    (
        "profiles_marked_late",
        ONE_PROFILE,
        [("a stranger gets our profile", 2, 0), ("a profile is deleted", 0, 0)],
        ONE_PROFILE | attached("p1"),
    ),
    (
        "a profile that lost its owner and its last instance",
        ONE_PROFILE | attached("p1"),
        [("a profile is disowned", 0, 0)],
        {},
    ),
    (
        "attachments_that_move_from_a_profile_without_its_mark",
        TWO_PROFILES | attached("p1"),
        [("a mark is removed", 1, 0)],
        {"roles": {"r1": {}}, "instance_profiles": {"p0": {"role": "r1"}}} | attached("p0"),
    ),
    (
        "what_no_attachment_moves_keeps_its_profile",
        TWO_PROFILES | attached("p1"),
        [("a mark is removed", 1, 0), ("a stranger is dressed as a member", 0, 0)],
        {"roles": {"r1": {}}, "instance_profiles": {"p0": {"role": "r1"}}} | attached("p0"),
    ),
    (
        "path_of_a_role",
        {"roles": {"r1": {}}},
        [("an inline policy is put", 0, 2), ("a policy is attached", 0, 0), ("a role is tagged", 0, 0)],
        {"roles": {"r1": {"path": "batch/", "description": "Works"}}},
    ),
]


def two_fleets(others: int, **fields: Any) -> Spec:
    """The fleet f0 of some others, and two members of f1."""
    (one,) = fleet(**fields)["fleets"].values()
    return {"fleets": fleet(count=others)["fleets"] | {"f1": one}}


# All of f0 get the tag of f1, which makes them no members of it.
JOINING: list[ExternalChange] = [("a member joins another fleet", 0, 0)] * 2
# Corners that few random examples come to.
CORNERS: list[tuple[str, Spec, list[ExternalChange], Spec]] = [
    (
        "stopped members get another profile",
        TWO_PROFILES | fleet(instance_profile="p0"),
        [("a member is stopped", 0, 0)],
        TWO_PROFILES | fleet(instance_profile="p1"),
    ),
    (
        "the tag of another fleet moves nobody",
        two_fleets(2, instance_type="t3.small"),
        JOINING,
        two_fleets(0, instance_type="t3.small"),
    ),
    (
        "a stranger has a profile that leaves",
        ONE_PROFILE,
        [("a stranger gets our profile", 2, 0)],
        {},
    ),
    (
        "a profile is made again under its members",
        ONE_PROFILE | fleet(instance_profile="p1"),
        [("a profile is made again", 0, 0)],
        ONE_PROFILE | fleet(instance_profile="p1"),
    ),
    (
        "two members have one number",
        fleet(count=3, name="one-{index}"),
        [("a member is numbered otherwise", number, 0) for number in range(3)],
        fleet(count=3, name="one-{index}"),
    ),
    ("members are moved to Spot", fleet(power="stopped"), [], fleet(market="spot")),
    ("Spot members are parked", fleet(market="spot"), [], fleet(power="stopped")),
    (
        "there is no Spot capacity",
        fleet(count=1),
        [],
        fleet(market="spot", instance_type="t3.small", fallback="on_demand"),
    ),
    (
        "members are restarted three at a time",
        fleet(count=5, ebs_optimized=False),
        [("a member is stopped", 1, 0)],
        fleet(
            count=6,
            ebs_optimized=True,
            instance_type="t3.small",
            user_data="#!/bin/sh\n",
            update={"max_unavailable": 3, "on_user_data": "restart", "healthy": "status_ok"},
        ),
    ),
    (
        "members are terminated before their successors are launched",
        fleet(count=5),
        [("a member is terminated", 1, 0), ("a member is stopped", 1, 0)],
        fleet(count=4, image="@image older@", update={"max_unavailable": 2, "order": "terminate_first"}),
    ),
    (
        "members are left as they are",
        fleet(count=3),
        [("a member is resized", 0, 1)],
        fleet(
            count=4,
            user_data="#!/bin/sh\n",
            instance_type="m5.large",
            update={"on_restart": "never", "on_user_data": "ignore"},
        ),
    ),
    (
        "members follow their image, but for one",
        OLDER,
        [],
        fleet(image={"ssm": PARAMETER, "update": "roll"}, protect=["@member 1@"]),
    ),
    (
        "members are moved to where there are fewer",
        fleet(count=4, subnets=["@subnet a@"]),
        [],
        fleet(count=4, rebalance=True, **IN_TWO),
    ),
    (
        "the tag of another fleet moves nobody who is protected",
        two_fleets(2, termination_protection=True),
        JOINING,
        two_fleets(0, termination_protection=True),
    ),
    (
        "one restarts and another that is stopped is replaced",
        OLDER,
        [("a member is stopped", 0, 0)],
        fleet(instance_type="t3.small", protect=["@member 0@"]),
    ),
    (
        "all are parked, one of them after a restart, another after its replacement",
        OLDER,
        [],
        fleet(instance_type="t3.small", protect=["@member 0@"], power="stopped"),
    ),
    (
        "fewer members are to be spread evenly",
        fleet(count=3, subnets=["@subnet a@"]),
        [],
        fleet(count=2, rebalance=True, **IN_TWO),
    ),
    (
        "what is dressed as a member is none",
        ONE_PROFILE | fleet(instance_profile="p1"),
        [("a stranger is dressed as a member", first, 0) for first in range(5)],
        ONE_PROFILE | fleet(instance_profile="p1", count=1),
    ),
]


@pytest.mark.long
def test_tokens_of_long_ago_are_passed_over_one_by_one() -> None:
    first, second = (
        fleet(user_data=f"#!/bin/{shell}\n", subnets=["@subnet a@"], count=count)
        for shell, count in (("sh", 2), ("bash", 3))
    )
    play(HEAD | first, [], True, HEAD | second)


@pytest.mark.parametrize("slow", [0.0, 120.0])
@pytest.mark.parametrize(
    ("name", "first", "done", "second"),
    [*CORRECTED, *CORNERS],
    ids=[case for case, *_ in [*CORRECTED, *CORNERS]],
)
@pytest.mark.sampled
def test_one_spec_to_another(
    name: str, first: Spec, done: list[ExternalChange], second: Spec, slow: float
) -> None:
    play(HEAD | first, done, False, HEAD | second, slow)


# Something of everything, so that all that the fake knows is held against the local AWS.
EVERYTHING: Spec = HEAD | {
    "tags": {"team": "data"},
    "roles": {
        "r0": {
            "description": "Works",
            "trust": ["ec2.amazonaws.com", "ssm.amazonaws.com"],
            "managed_policies": ["AmazonS3FullAccess", "ReadOnlyAccess"],
            "inline_policies": {"i0": DOCUMENTS[0], "i1": DOCUMENTS[2]},
            "permissions_boundary": "PowerUserAccess",
            "max_session_duration": 7200,
        },
        "r1": {"name": "shared"},
    },
    "instance_profiles": {"p0": {"role": "r0"}, "p1": {"role": "r1", "tags": {"Owner": "shop"}}},
    "fleets": {
        "f0": {
            "count": 4,
            "image": "@image older@",
            "instance_type": "t3.small",
            "instance_profile": "p0",
            "name": "one-{index}",
            "availability_zones": ["us-east-1a", "us-east-1b"],
            "security_groups": ["web", "@group db@"],
            "key_name": "me",
            "user_data": "#!/bin/sh\n",
            "volumes": [{"device": "/dev/sdf", "size_gb": 20, "type": "gp3"}],
            "root_volume": {"size_gb": 20},
            "metadata": {"http_tokens": "optional", "hop_limit": 2},
            "monitoring": True,
            "termination_protection": True,
        },
        "f1": {
            "count": 2,
            "image": {"ssm": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"},
            "instance_type": "t3.micro",
            "subnets": {"tags": {"tier": "one"}},
            "associate_public_ip": True,
        },
    },
    "attachments": {
        "a0": {"instance_profile": "p1", "instances": ["i-0000000000000a004"]},
        "a1": {"instance_profile": "p1", "select": {"tags": {"box": "build"}}},
    },
}
CHANGED: Spec = HEAD | {
    "tags": {"team": "shop"},
    "roles": {
        "r0": {"managed_policies": ["AmazonSQSFullAccess"], "inline_policies": {"i1": DOCUMENTS[3]}},
        "r2": {},
    },
    "instance_profiles": {"p0": {"role": "r2"}, "p2": {"role": "r0"}},
    "fleets": {
        "f0": EVERYTHING["fleets"]["f0"]
        | {
            "instance_profile": "p2",
            "name": "plain",
            "volumes": [{"device": "/dev/sdf", "size_gb": 30, "type": "gp2"}],
            "root_volume": {"size_gb": 30},
            "security_groups": ["default"],
            "metadata": {"http_endpoint": "disabled"},
            "monitoring": False,
            "termination_protection": False,
        },
        "f2": {
            "count": 3,
            "image": "@image newest@",
            "instance_type": "t3.micro",
            "subnets": ["@subnet c@", "@subnet a@"],
            "shutdown_behavior": "terminate",
        },
    },
    "attachments": {"a0": {"instance_profile": "p0", "instances": [STRANGER]}},
}
SMALLER: Spec = CHANGED | {"fleets": {"f0": CHANGED["fleets"]["f0"] | {"count": 2}}}
RENEWED: Spec = HEAD | {
    "fleets": {
        "f0": {
            "count": 3,
            "image": "@image newest@",
            "instance_type": "t3.micro",
            "availability_zones": ["us-east-1a"],
            "power": "stopped",
        },
        "f1": {
            "count": 2,
            "image": "@image older@",
            "instance_type": "t3.micro",
            "availability_zones": ["us-east-1b"],
            "update": {"healthy": "status_ok"},
        },
    }
}
f0, f1 = RENEWED["fleets"].values()
RESTARTED: Spec = HEAD | {
    "fleets": {
        "f0": f0
        | {
            "power": "running",
            "instance_type": "t3.small",
            "user_data": "#!/bin/sh\n",
            "update": {"on_user_data": "restart", "max_unavailable": 2},
        },
        "f1": f1 | {"market": "spot"},
    }
}
REPLACED: Spec = HEAD | {
    "fleets": {
        "f0": f0 | {"image": "@image older@", "update": {"order": "terminate_first"}},
        "f1": f1 | {"count": 3, "instance_type": "t3.small"},
    }
}
ROUNDS: dict[str, list[Spec | list[ExternalChange]]] = {
    "from one to the other": [EVERYTHING, CHANGED, {}],
    "restarted and replaced": [
        RENEWED,
        [("a member is stopped", 4, 0), ("a member is started", 0, 0), ("a member is resized", 3, 1)],
        RENEWED,
        RESTARTED,
        [("a fleet is stopped", 1, 0), ("a member is stopped", 3, 0)],
        RESTARTED,
        REPLACED,
        {},
    ],
    "fewer, then none": [EVERYTHING, CHANGED, SMALLER, {}],
    "disturbed": [
        EVERYTHING,
        [
            ("a policy is attached", 0, 2),
            ("the description is changed", 0, 0),
            ("an inline policy is removed", 0, 0),
            ("a profile is made again", 0, 0),
            ("a member is stopped", 1, 0),
            ("a member gets another profile", 1, 0),
            ("a member loses its profile", 2, 0),
            ("a member is terminated", 4, 0),
            ("a member is called otherwise", 0, 0),
            ("groups are changed", 3, 2),
            ("a stranger is terminated", 1, 0),
            ("a stranger is labelled", 0, 0),
        ],
        EVERYTHING,
        [("a role is deleted", 0, 0), ("a profile gets another role", 0, 1), ("a mark is removed", 1, 0)],
        CHANGED,
        {},
    ],
    "refused": [
        EVERYTHING,
        [("a profile's name is taken", 0, 0), ("a role is given away", 1, 0)],
        CHANGED,
        EVERYTHING,
        SMALLER,
    ],
}


@pytest.mark.parametrize("rounds", ROUNDS.values(), ids=ROUNDS)
@pytest.mark.sampled
def test_the_fake_does_as_the_local_aws_does(rounds: list[Spec | list[ExternalChange]], aws: Cloud) -> None:
    here, there = fake_account(), local_account(aws)
    assert here.picture() == there.picture()
    for turn in rounds:
        ours, theirs = (_round(turn, account) for account in (here, there))
        assert ours == theirs
        assert here.picture() == there.picture()


def _round(turn: Spec | list[ExternalChange], account: Account) -> Any:
    """Applies a spec (destroys, for an empty one), or makes external changes; returns what came of it."""
    if isinstance(turn, list):
        return [
            (external_change, do(external_change, Hand(account.execute, account.groups, *which)))
            for external_change, *which in turn
        ]
    spec = grounded(turn or EVERYTHING, account.ground)
    ran = run(loaded(spec), account.execute, account.time, destroying=not turn)
    results = [
        (str(outcome.change.address), outcome.change.action, outcome.result, len(outcome.change.instances))
        for outcome in (ran.carried.outcomes if ran.carried else ())
    ]
    refused = sorted(str(refusal.address) for refusal in ran.plan.refusals)
    return refused, sorted(results), account.told(ran.connection)
