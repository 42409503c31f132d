"""Many instance profiles: AWS's index of tags is believed where it says that nothing is to be done.

The index lags behind IAM, or is refused, late or without an answer. Whatever it says, what is to be changed
or deleted was read by itself, and so was everything for whoever applies.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from provisioner.errors import AwsError
from provisioner.kinds.base import Reader
from provisioner.kinds.instance_profile import InstanceProfileKind
from provisioner.model import Address, Environment, Identity, Observed, TagIndex
from provisioner.naming import ATTACHED_TAG, ENVIRONMENT_TAG, EXPIRES_TAG, KEEP_TAG, REGION_TAG, SWAPPED_TAG
from tests.support.build import OURS, environment, observed_role, planned, told
from tests.support.cloud import as_list

KEYS = ("a", "b", "c", "d", "e")
Tags = Mapping[str, str]


class Iam:
    """IAM with profiles, and an index of tags that says what it is told to; writes down what is read."""

    def __init__(self, profiles: list[dict[str, Any]], index: Callable[[], list[Any]] = list) -> None:
        self.profiles = {profile["InstanceProfileName"]: profile for profile in profiles}
        self.index = index
        self.read: list[str] = []
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.regions: list[str] = []

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        assert operation == "GetInstanceProfile"
        name = params["InstanceProfileName"]
        self.read.append(name)
        found = next((it for own, it in self.profiles.items() if own.lower() == name.lower()), None)
        if found is None:
            raise AwsError(service, operation, "NoSuchEntity", "there is none", 404)
        return {"InstanceProfile": found}

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[Any]:
        self.asked.append((operation, params))
        if operation == "GetResources":
            yield from self.index()
            return
        for profile in self.profiles.values():
            if profile["Path"].startswith(params["PathPrefix"]):
                yield {name: value for name, value in profile.items() if name != "Tags"}

    def in_region(self, region: str) -> Reader:
        self.regions.append(region)
        return self

    def parallel(self, *reads: Callable[[], Any]) -> list[Any]:
        return [read() for read in reads]

    def now(self) -> datetime:
        return datetime.now(UTC)

    def identity(self) -> Identity:
        raise AssertionError("nobody asks here whose it is")

    def answers(self, operation: str) -> list[dict[str, Any]]:
        return []


def arn(name: str, path: str = "/provisioner/env/") -> str:
    return f"arn:aws:iam::123456789012:instance-profile{path}{name}"


def there(name: str, tags: Tags = OURS, roles: tuple[str, ...] = (), path: str = "/provisioner/env/") -> Any:
    """A profile as IAM has it, with the role of the same name."""
    return {
        "InstanceProfileName": name,
        "InstanceProfileId": f"AIPA{name}",
        "Arn": arn(name, path),
        "Path": path,
        "Roles": [{"RoleName": role} for role in roles or (name,)],
        "Tags": as_list(tags),
    }


def shown(name: str, tags: Tags = OURS) -> dict[str, Any]:
    """The same in the index."""
    return {"ResourceARN": arn(name), "Tags": as_list(tags)}


def spec(keys: tuple[str, ...] = KEYS, region: str = "us-east-1", **more: Any) -> Environment:
    sections: dict[str, Any] = {
        "region": region,
        "roles": {key: {} for key in keys},
        "instance_profiles": {key: {"role": key} for key in keys},
    }
    for name, value in more.items():
        sections[name] = sections[name] | value if name in sections else value
    return replace(environment(**sections), tag_index=TagIndex.FOR_MANY)


def found(iam: Iam, wanted: Environment) -> dict[Address, Observed]:
    return dict(InstanceProfileKind().observe(iam, wanted, launching=True))


def changes(iam: Iam, wanted: Environment) -> list[str]:
    """What a plan would do to profiles where all roles are as they should be."""
    roles: dict[Address, Observed] = {
        Address("role", key): observed_role(name=f"env-{key}", tags={**OURS, REGION_TAG: wanted.region})
        for key in (*KEYS, "x")
        if Address("role", key) in wanted.resources
    }
    plan = planned(wanted, roles | found(iam, wanted))
    return [
        *(told(change) for change in plan.changes if change.address.kind == "instance_profile"),
        *(f"refused {refusal.address}" for refusal in plan.refusals),
    ]


AS_DESIRED: list[str] = []
A = ["env-a"]
TEAM = {**OURS, "team": "data"}
# What of a: the index says (None: nothing), IAM has (None: nothing), its entry in the spec has besides; then
# which are read one by one, and what is to be done.
SITUATIONS: dict[str, tuple[Tags | None, Any, dict[str, Any], list[str], list[str]]] = {
    "all is as it should be": (OURS, there("env-a"), {}, [], AS_DESIRED),
    "the index does not know it yet": (None, there("env-a"), {}, A, AS_DESIRED),
    "the index has no tags of it yet": ({}, there("env-a"), {}, A, AS_DESIRED),
    "it lost a tag": (
        {ENVIRONMENT_TAG: "env"},
        there("env-a", {ENVIRONMENT_TAG: "env"}),
        {},
        A,
        ["update tags"],
    ),
    "it lost a tag, which the index has not heard of": (OURS, there("env-a", {}), {}, [], AS_DESIRED),
    "it got a tag": (TEAM, there("env-a", TEAM), {}, A, ["update tags"]),
    "it got a tag that is ignored": (TEAM, there("env-a", TEAM), {"ignore_tags": ["team"]}, [], AS_DESIRED),
    "it got a tag, which the index has not heard of": (OURS, there("env-a", TEAM), {}, [], AS_DESIRED),
    "its tag was taken off, which the index has not heard of": (TEAM, there("env-a"), {}, A, AS_DESIRED),
    "the spec wants another tag": (OURS, there("env-a"), {"tags": {"team": "data"}}, A, ["update tags"]),
    "the spec wants a tag that it has got, which the index has not heard of": (
        OURS,
        there("env-a", TEAM),
        {"tags": {"team": "data"}},
        A,
        AS_DESIRED,
    ),
    "it has a tag of AWS's": (
        {**OURS, "aws:x": "y"},
        there("env-a", {**OURS, "aws:x": "y"}),
        {},
        [],
        AS_DESIRED,
    ),
    "it is kept": ({**OURS, KEEP_TAG: "yes"}, there("env-a", {**OURS, KEEP_TAG: "yes"}), {}, A, AS_DESIRED),
    "it is kept, as the spec says": (
        {**OURS, KEEP_TAG: "yes"},
        there("env-a", {**OURS, KEEP_TAG: "yes"}),
        {"keep": True},
        A,
        AS_DESIRED,
    ),
    "it is between two roles": (
        {**OURS, SWAPPED_TAG: "pending"},
        there("env-a", {**OURS, SWAPPED_TAG: "pending"}),
        {"ignore_tags": ["*"]},
        A,
        ["update tags"],
    ),
    "it was attached to something": (
        {**OURS, ATTACHED_TAG: "yes"},
        there("env-a", {**OURS, ATTACHED_TAG: "yes"}),
        {},
        A,
        AS_DESIRED,
    ),
    "it remembers an end": (
        {**OURS, EXPIRES_TAG: "2027-01-01T00:00:00Z"},
        there("env-a", {**OURS, EXPIRES_TAG: "2027-01-01T00:00:00Z"}),
        {},
        A,
        ["update tags"],
    ),
    "it holds another role": (OURS, there("env-a", roles=("env-b",)), {}, A, ["update role"]),
    "it is in another region": (
        {**OURS, REGION_TAG: "eu-west-1"},
        there("env-a", {**OURS, REGION_TAG: "eu-west-1"}),
        {},
        A,
        ["refused"],
    ),
    "its name is taken by somebody else": (OURS, there("env-a", path="/"), {}, A, ["refused"]),
    "it has its name in other letters": (None, there("ENV-a", roles=("env-a",)), {}, ["ENV-a"], AS_DESIRED),
    "it is not there": (None, None, {}, [], ["create role"]),
    "it is gone, which the index has not heard of": (OURS, None, {}, [], ["create role"]),
}


@pytest.mark.parametrize(("index", "iam", "more", "read", "done"), SITUATIONS.values(), ids=SITUATIONS)
def test_what_is_read_one_by_one_and_what_is_done(
    index: Tags | None, iam: Any, more: dict[str, Any], read: list[str], done: list[str]
) -> None:
    others = [f"env-{key}" for key in KEYS[1:]]
    aws = Iam(
        [*map(there, others), *([iam] if iam else [])],
        lambda: [*map(shown, others), *([shown("env-a", index)] if index is not None else [])],
    )
    ignored = {"ignore_tags": more["ignore_tags"]} if "ignore_tags" in more else {}
    entry = {"role": "a", **{name: value for name, value in more.items() if name != "ignore_tags"}}
    planned_changes = changes(aws, spec(instance_profiles={"a": entry}, **ignored))
    assert aws.read == read
    assert [text.replace(" instance_profile/a", "").split(".")[0] for text in planned_changes] == done


def test_what_is_no_longer_in_the_spec_is_read_by_itself() -> None:
    aws = Iam(
        [there(f"env-{key}") for key in (*KEYS, "x")], lambda: [shown(f"env-{key}") for key in (*KEYS, "x")]
    )
    assert changes(aws, spec()) == ["delete instance_profile/x"]
    assert aws.read == ["env-x"]


def refuse() -> list[Any]:
    raise AwsError("resourcegroupstaggingapi", "GetResources", "AccessDeniedException", "no", 400)


def never() -> list[Any]:
    threading.Event().wait(30)
    return []


NO_ANSWERS: dict[str, Callable[[], list[Any]]] = {
    "refused": refuse,
    "empty": list,
    "without ARNs": lambda: [{"Tags": []}],
    "without tags": lambda: [{"ResourceARN": arn("env-a")}],
    "with tags that are none": lambda: [{"ResourceARN": arn("env-a"), "Tags": [{"Key": ""}]}],
    "of another type": lambda: ["env-a"],
    "late": never,
}


@pytest.mark.parametrize("index", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_without_an_answer_of_the_index_all_are_read_one_by_one(index: Callable[[], list[Any]]) -> None:
    names = [f"env-{key}" for key in KEYS]
    aws = Iam([there(name) for name in names], index)
    assert changes(aws, spec()) == []
    assert aws.read == names


WHO: dict[str, tuple[Environment, list[str]]] = {
    "who applies": (replace(spec(), tag_index=TagIndex.NEVER), []),
    "who plans a few": (spec(KEYS[:4]), []),
    "who plans many": (spec(), ["us-east-1"]),
    "who plans many elsewhere": (spec(region="eu-west-1"), ["us-east-1"]),
    "who plans many in China": (spec(region="cn-northwest-1"), ["cn-north-1"]),
    "who plans many where it is not known where IAM is": (spec(region="us-isob-east-1"), []),
    "who plans one of many environments": (replace(spec(KEYS[:1]), tag_index=TagIndex.ALWAYS), ["us-east-1"]),
    "who plans what ends": (spec(expires="2099-01-01T00:00:00Z"), []),
}


@pytest.mark.parametrize(("wanted", "asked"), WHO.values(), ids=WHO)
def test_who_asks_the_index_and_where(wanted: Environment, asked: list[str]) -> None:
    aws = Iam([])
    found(aws, wanted)
    regions = aws.regions or [wanted.region]
    assert [regions[0] for operation, _ in aws.asked if operation == "GetResources"] == asked


def test_many_environments_ask_the_same() -> None:
    """So that one answer is for all of them."""
    aws = Iam([])
    for name in ("one", "two"):
        found(aws, replace(spec(KEYS[:1]), name=name, tag_index=TagIndex.ALWAYS))
    assert aws.asked[:2] == aws.asked[2:]
    (_, alone), *_ = [asked for asked in _asked_by(spec()) if asked[0] == "GetResources"]
    assert alone["TagFilters"] == [{"Key": ENVIRONMENT_TAG, "Values": ["env"]}]


def _asked_by(wanted: Environment) -> list[tuple[str, dict[str, Any]]]:
    aws = Iam([])
    found(aws, wanted)
    return aws.asked
