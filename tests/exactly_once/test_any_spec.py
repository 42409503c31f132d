"""Any spec to any spec: whatever was there and whatever others did to it, then it is as the spec says.

Random environments on a fake AWS in memory, checked by an oracle that shares no code with the program. The
fake is held against the local AWS at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, seed, settings
from hypothesis import strategies as st

from ..whole.cloud import Cloud
from .any_spec.both import Account, fake_account, local_account
from .any_spec.deeds import DEEDS, NASTY, Hand, do
from .any_spec.environments import DOCUMENTS, Spec, pairs, seldom
from .any_spec.known import SITUATIONS
from .any_spec.story import Deed, grounded, loaded, run, tell

number = st.integers(0, 30)
kind = st.sampled_from(sorted(DEEDS.keys() - set(NASTY)))
deeds = st.builds(
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
any_example = given(pairs(), deeds, st.booleans(), slowness)


def any_spec(pair: tuple[Spec, Spec], done: Sequence[Deed], later: bool, slow: float) -> None:
    event(tell(pair[0], done, later, pair[1], slow) or "told to the end")


# Making a failing example smaller takes minutes: leave `phases` out to have that done.
@any_example
@settings(at_leisure, max_examples=100, derandomize=True, phases=[Phase.generate])
def test_any_spec_to_any_spec(
    pair: tuple[Spec, Spec], done: Sequence[Deed], later: bool, slow: float
) -> None:
    any_spec(pair, done, later, slow)


@pytest.mark.long
@pytest.mark.parametrize("start", range(4))
def test_thousands_of_specs(start: int) -> None:
    seed(start)(settings(at_leisure, max_examples=500)(any_example(any_spec)))()


HEAD: Spec = {"environment": "any", "region": "us-east-1"}
ONE_PROFILE: Spec = {"roles": {"r1": {}}, "instance_profiles": {"p1": {"role": "r1"}}}
TWO_PROFILES: Spec = {"roles": {"r1": {}}, "instance_profiles": {"p0": {"role": "r1"}, "p1": {"role": "r1"}}}
STRANGER = "i-0000000000000a001"


def fleet(**fields: Any) -> Spec:
    plain = {"count": 2, "image": "@image newest@", "instance_type": "t3.micro"}
    return {"fleets": {"f0": plain | fields}}


def attached(profile: str) -> Spec:
    return {"attachments": {"a0": {"instance_profile": profile, "instances": [STRANGER]}}}


def policies(*documents: Any) -> Spec:
    return {"roles": {"r1": {"inline_policies": {f"i{n}": each for n, each in enumerate(documents)}}}}


# By the name of the known situation: what is there, what others do to it, and what is to be.
EXAMPLES: list[tuple[str, Spec, list[Deed], Spec]] = [
    (
        "policies_that_change_places",
        policies(DOCUMENTS[0], DOCUMENTS[4]),
        [],
        policies(DOCUMENTS[4], DOCUMENTS[0]),
    ),
    (
        "choices_left_to_aws",
        fleet(root_volume={"size_gb": 20, "type": "gp3"}),
        [],
        fleet(root_volume={"size_gb": 20}),
    ),
    (
        "profiles_marked_late",
        ONE_PROFILE,
        [("a stranger gets our profile", 2, 0)],
        ONE_PROFILE | attached("p1"),
    ),
    (
        "stopping_for_long",
        TWO_PROFILES | fleet(instance_profile="p0"),
        [("a member is stopped", 0, 0)],
        TWO_PROFILES | fleet(instance_profile="p1"),
    ),
]


# The same, of what once went wrong.
CORRECTED: list[tuple[str, Spec, list[Deed], Spec]] = [
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
        ONE_PROFILE
        | {
            "attachments": {
                "a0": {"instance_profile": "p1", "instances": ["i-0000000000000a002"]},
                "a1": {"instance_profile": "p1", "select": {"tags": {"box": "build"}}},
            }
        },
    ),
    ("choices_left_to_aws", fleet(associate_public_ip=True), [], fleet()),
]


def two_fleets(others: int, **fields: Any) -> Spec:
    """The fleet f0 of some others, and two members of f1."""
    (one,) = fleet(**fields)["fleets"].values()
    return {"fleets": fleet(count=others)["fleets"] | {"f1": one}}


# All of f0 go over to f1, which then has too many.
JOINING: list[Deed] = [("a member joins another fleet", 0, 0)] * 2
# Corners that few random examples come to.
CORNERS: list[tuple[str, Spec, list[Deed], Spec]] = [
    (
        "stopped members get another profile",
        TWO_PROFILES | fleet(instance_profile="p0"),
        [("a member is stopped", 0, 0)],
        TWO_PROFILES | fleet(instance_profile="p1"),
    ),
    (
        "members of another make go first",
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
    (
        "the protected stay",
        two_fleets(2, termination_protection=True),
        JOINING,
        two_fleets(0, termination_protection=True),
    ),
]


@pytest.mark.parametrize(
    ("name", "first", "done", "second"),
    [*CORRECTED, *CORNERS],
    ids=[each for each, *_ in [*CORRECTED, *CORNERS]],
)
def test_one_spec_to_another(name: str, first: Spec, done: list[Deed], second: Spec) -> None:
    assert tell(HEAD | first, done, False, HEAD | second) is None


@pytest.mark.xfail(strict=True, raises=AssertionError, reason="known: see any_spec/known.py")
@pytest.mark.parametrize(("name", "first", "done", "second"), EXAMPLES)
def test_known_to_fall_short(name: str, first: Spec, done: list[Deed], second: Spec) -> None:
    tell(HEAD | first, done, False, HEAD | second, slow=120.0 if done else 0.0, heeding=False)


def test_every_known_situation_has_an_example() -> None:
    told = {
        tell(HEAD | first, done, False, HEAD | second, 120.0 if done else 0.0)
        for _, first, done, second in EXAMPLES
    }
    assert told == SITUATIONS.keys() == {name for name, *_ in EXAMPLES}


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
ROUNDS: dict[str, list[Spec | list[Deed]]] = {
    "from one to the other": [EVERYTHING, CHANGED, {}],
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
def test_the_fake_does_as_the_local_aws_does(rounds: list[Spec | list[Deed]], aws: Cloud) -> None:
    here, there = fake_account(), local_account(aws)
    assert here.picture() == there.picture()
    for each in rounds:
        ours, theirs = (_round(each, account) for account in (here, there))
        assert ours == theirs
        assert here.picture() == there.picture()


def _round(each: Spec | list[Deed], account: Account) -> Any:
    """Applies a spec (destroys, for an empty one), or does some deeds; returns what came of it."""
    if isinstance(each, list):
        return [(deed, do(deed, Hand(account.execute, account.groups, *which))) for deed, *which in each]
    spec = grounded(each or EVERYTHING, account.ground)
    ran = run(loaded(spec), account.execute, account.time, destroying=not each)
    results = [
        (str(outcome.change.address), outcome.change.action, outcome.result, len(outcome.change.instances))
        for outcome in (ran.carried.outcomes if ran.carried else ())
    ]
    refused = sorted(str(refusal.address) for refusal in ran.plan.refusals)
    return refused, sorted(results), account.told(ran.connection)
