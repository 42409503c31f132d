"""Random environments: one that is there and one that is to be, of the same few names so that they meet.

A spec is a mapping as YAML would give it. What is called otherwise in every account stands in it as `@name@`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

from tests.properties.any_spec.fake_iam import AWS_POLICIES
from tests.properties.any_spec.fake_parts import PARAMETER, TYPES, WITHOUT_SPOT

Spec = dict[str, Any]
Sections = dict[str, tuple[str, ...]]

ENVIRONMENT = "any"
ROLES, PROFILES, FLEETS, ATTACHMENTS = (
    ("r0", "r1", "r2"),
    ("p0", "p1", "p2"),
    ("f0", "f1", "f2"),
    ("a0", "a1"),
)
SECTIONS: Sections = {
    "roles": ROLES,
    "instance_profiles": PROFILES,
    "fleets": FLEETS,
    "attachments": ATTACHMENTS,
}
FLEETS_ONLY: Sections = {"fleets": FLEETS}
TAKEN = "taken"
STRANGERS: dict[str, dict[str, str]] = {
    "i-0000000000000a001": {},
    "i-0000000000000a002": {"box": "build"},
    "i-0000000000000a003": {"box": "build", "team": "data"},
    "i-0000000000000a004": {"box": "test"},
    "i-0000000000000a005": {"provisioner:environment": "any-2", "provisioner:fleet": "f0", "Name": "any-f0"},
}
THEIRS = list(STRANGERS)[-1]
LONG = "x" * 5_500


def trust_of(service: str, **more: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement | more]}


def allow(action: Any, resource: Any, **more: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [statement | more]}


TRUSTS: tuple[Any, ...] = (
    "ec2.amazonaws.com",
    ["ssm.amazonaws.com", "ec2.amazonaws.com"],
    trust_of("ec2.amazonaws.com"),
    trust_of("lambda.amazonaws.com"),
    trust_of("ec2.amazonaws.com", Condition={"Bool": {"aws:SecureTransport": True}}),
)
# The second says the same as the first.
DOCUMENTS: tuple[dict[str, Any], ...] = (
    allow("s3:GetObject", "*"),
    allow(["s3:getobject"], ["*"]),
    allow(["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::results/*"),
    allow("s3:*", "*", Sid="All"),
    allow("s3:GetObject", f"arn:aws:s3:::{LONG}1"),
    allow("s3:GetObject", f"arn:aws:s3:::{LONG}2"),
)
NAMES = (*("shared", "any-shared", "any-r1", "Any-R1", "any-p1") * 3, TAKEN)


def seldom(wanted: st.SearchStrategy[Any], one_in: int = 3) -> st.SearchStrategy[Any]:
    """The strategy's values now and then, else None, which stands for an absent field."""
    return st.integers(1, one_in).flatmap(lambda drawn: wanted if drawn == one_in else st.none())


def some(values: Iterable[Any], least: int = 0, most: int | None = None) -> st.SearchStrategy[list[Any]]:
    """Some of these, each at most once, in any order."""
    listed = list(values)
    return st.lists(st.sampled_from(range(len(listed))), unique=True, min_size=least, max_size=most).map(
        lambda chosen: [listed[index] for index in chosen]
    )


def entry(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A mapping of those fields that are not None."""
    return st.fixed_dictionaries(fields).map(
        lambda drawn: {name: value for name, value in drawn.items() if value is not None}
    )


tags = st.dictionaries(
    st.sampled_from(["team", "stage", "Owner"]), st.sampled_from(["data", "shop", ""]), max_size=2
)
policies = [
    arn.removeprefix("arn:aws:iam::aws:policy/") if n % 2 else arn for n, arn in enumerate(AWS_POLICIES)
]
documents = st.sampled_from(DOCUMENTS)

role = entry(
    name=seldom(st.sampled_from(NAMES), 5),
    description=seldom(st.sampled_from(["Works", "Plays"]), 2),
    trust=seldom(st.sampled_from(TRUSTS), 2),
    managed_policies=seldom(
        st.one_of(some(policies, most=4), st.sampled_from([policies[:10], policies[2:]])), 1
    ),
    inline_policies=seldom(st.dictionaries(st.sampled_from(["i0", "i1", "i2"]), documents, max_size=3), 2),
    permissions_boundary=seldom(st.sampled_from(policies[5:8])),
    max_session_duration=seldom(st.sampled_from([3600, 7200, 43200]), 2),
    path=seldom(st.just("batch/"), 12),
    tags=seldom(tags),
    keep=seldom(st.booleans(), 10),
)
profile = entry(
    role=st.sampled_from(ROLES),
    name=seldom(st.sampled_from(NAMES), 5),
    tags=seldom(tags),
    keep=seldom(st.booleans(), 10),
)
groups = some(("default", "web", "db"), least=1).flatmap(
    lambda names: st.tuples(*(st.sampled_from([name, f"@group {name}@"]) for name in names)).map(list)
)
place: st.SearchStrategy[Spec] = st.one_of(
    st.just({}),
    some("abc", least=1).map(lambda zones: {"availability_zones": [f"us-east-1{zone}" for zone in zones]}),
    some("abcdf", least=1, most=3).map(lambda zones: {"subnets": [f"@subnet {zone}@" for zone in zones]}),
    st.just({"subnets": {"tags": {"tier": "one"}}}),
)
metadata = entry(
    http_tokens=seldom(st.sampled_from(["required", "optional"])),
    http_endpoint=seldom(st.sampled_from(["enabled", "disabled"])),
    hop_limit=seldom(st.integers(1, 3)),
    instance_tags=seldom(st.sampled_from(["enabled", "disabled"])),
)
update = entry(
    max_unavailable=seldom(st.sampled_from([1, 2, 5, "50%"]), 2),
    order=seldom(st.sampled_from(["launch_first", "terminate_first"]), 2),
    on_restart=seldom(st.sampled_from(["restart", "replace", "never"])),
    on_user_data=seldom(st.sampled_from(["replace", "restart", "ignore"]), 2),
    healthy=seldom(st.sampled_from(["running", "status_ok"]), 4),
    pause_on_failure=seldom(st.booleans(), 4),
)
volume = entry(size_gb=st.sampled_from([20, 30]), type=seldom(st.sampled_from(["gp2", "gp3"])))
fleet = st.builds(
    lambda plain, place: plain | place,
    entry(
        count=st.integers(0, 6),
        image=st.sampled_from(
            [{"ssm": PARAMETER}] * 4
            + [{"ssm": PARAMETER, "update": "roll"}, "@image older@", "@image newest@"]
        ),
        instance_type=st.sampled_from([TYPES[0]] * 4 + [TYPES[1], [TYPES[1], TYPES[0]]]),
        instance_profile=seldom(st.sampled_from(PROFILES), 1) | st.none(),
        name=seldom(st.sampled_from(["one-{index}", "two-{index:02d}", "plain"]), 2),
        security_groups=seldom(groups),
        key_name=seldom(st.just("me"), 8),
        user_data=seldom(st.sampled_from(["#!/bin/sh\n", "#!/bin/bash\n"]), 6),
        root_volume=seldom(volume, 8),
        volumes=seldom(
            st.lists(volume, max_size=1).map(lambda all: [{"device": "/dev/sdf"} | one for one in all]), 8
        ),
        metadata=seldom(metadata),
        monitoring=seldom(st.booleans()),
        ebs_optimized=seldom(st.booleans(), 8),
        termination_protection=seldom(st.booleans(), 4),
        shutdown_behavior=seldom(st.sampled_from(["stop", "terminate"])),
        associate_public_ip=seldom(st.booleans(), 10),
        tags=seldom(tags),
        power=seldom(st.sampled_from(["running", "stopped"]), 4),
        market=seldom(st.sampled_from(["spot", "spot", "on_demand"]), 5),
        fallback=seldom(st.just("on_demand"), 2),
        max_price=seldom(st.just("0.05"), 3),
        protect=seldom(st.sampled_from([["@member 0@"], ["@member 1@", "@member 2@"]]), 8),
        rebalance=seldom(st.booleans(), 4),
        keep=seldom(st.booleans(), 10),
        update=seldom(update, 2),
    ),
    place,
)
attachment = st.one_of(
    entry(
        instance_profile=st.sampled_from(PROFILES),
        instances=some(STRANGERS, least=1, most=3),
    ),
    entry(
        instance_profile=st.sampled_from(PROFILES),
        select=st.fixed_dictionaries(
            {"tags": st.sampled_from([{"box": "build"}, {"box": "test"}, {"box": "none"}])}
        ),
    ),
)
ENTRIES = {"roles": role, "instance_profiles": profile, "fleets": fleet, "attachments": attachment}
EITHER = ({"subnets", "availability_zones"}, {"instances", "select"})
NEEDED = {"role", "instance_profile", "count", "image", "instance_type", "instances", "select"}
head = entry(
    environment=st.just(ENVIRONMENT),
    region=st.just("us-east-1"),
    account_id=seldom(st.just("123456789012")),
    tags=seldom(tags, 2),
    ignore_tags=seldom(st.sampled_from([["CostCenter"]] * 4 + [["aws:*", "Cost*"]] * 3 + [["stage"]]), 2),
)


@st.composite
def edited(draw: st.DrawFn, old: Spec, entries: st.SearchStrategy[Spec]) -> Spec:
    """An entry with some fields changed and some removed."""
    new = draw(entries)
    fields = draw(some(sorted(new), least=1, most=4))
    kept = {
        name: value for name, value in old.items() if not any({name, field} in EITHER for field in fields)
    }
    removed = draw(st.sampled_from([None, *sorted(old.keys() - NEEDED)]))
    return {name: value for name, value in kept.items() if name != removed} | {
        field: new[field] for field in fields
    }


@st.composite
def environments(draw: st.DrawFn, sections: Sections, before: Spec | None = None) -> Spec:
    """A spec of these sections; one that has much in common with another, if `before` is given."""
    spec: Spec = (
        dict(draw(head))
        if before is None or draw(st.booleans())
        else {name: value for name, value in before.items() if name not in SECTIONS}
    )
    for section, keys in sections.items():
        entries = {}
        for key in keys:
            old: Spec = (before or {}).get(section, {}).get(key, {})
            fate = draw(
                st.sampled_from(("none", "new", "old", *("edit",) * 4) if old else ("none", "new", "new"))
            )
            if fate == "new":
                entries[key] = draw(ENTRIES[section])
            elif fate == "old":
                entries[key] = old
            elif fate == "edit":
                entries[key] = draw(edited(old, ENTRIES[section]))
        if entries:
            spec[section] = entries
    # What has to be refused leaves nothing else to be seen.
    return made_sound(spec if draw(st.integers(1, 6)) == 6 else made_possible(spec))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Spec, Spec]:
    """What is there, and what is to be."""
    sections = draw(st.sampled_from((SECTIONS, FLEETS_ONLY)))
    first = draw(environments(sections))
    return first, draw(environments(sections, first))


def made_possible(spec: Spec) -> Spec:
    """The spec without names that are taken, and instances that are another environment's."""
    possible: Spec = json.loads(json.dumps(spec).replace(f'"{TAKEN}"', '"any-taken"'))
    for raw in possible.get("attachments", {}).values():
        if "instances" in raw:
            raw["instances"] = [one for one in raw["instances"] if one != THEIRS]
    return possible


def made_sound(spec: Spec) -> Spec:
    """The spec without what the loader would refuse: references to nothing, a name twice, too much text."""
    roles = {key: _fitting(raw) for key, raw in spec.get("roles", {}).items()}
    profiles = {
        key: raw | {"role": _existing(raw["role"], roles)}
        for key, raw in spec.get("instance_profiles", {}).items()
        if roles
    }
    fleets = {
        key: _buyable(_without(raw, "instance_profile") if not profiles else _bound(raw, profiles))
        for key, raw in spec.get("fleets", {}).items()
    }
    attachments: Spec = {}
    taken: set[str] = set()
    for key, raw in spec.get("attachments", {}).items():
        instances = [instance for instance in raw.get("instances", ()) if instance not in taken]
        taken.update(instances)
        if profiles and (instances or "select" in raw):
            attachments[key] = _bound(raw, profiles) | ({"instances": instances} if instances else {})
    sound = {
        "roles": _named_once(roles),
        "instance_profiles": _named_once(profiles),
        "fleets": fleets,
        "attachments": attachments,
    }
    rest = {name: value for name, value in spec.items() if name not in SECTIONS}
    return rest | {section: entries for section, entries in sound.items() if entries}


def name_of(key: str, raw: dict[str, Any]) -> str:
    """What a role or an instance profile is called in AWS."""
    name: str = raw.get("name", f"{ENVIRONMENT}-{key}")
    return name


def _named_once(entries: Spec) -> Spec:
    once: Spec = {key: raw_entry for key, raw_entry in entries.items() if "name" not in raw_entry}
    for key, raw_entry in entries.items():
        if "name" in raw_entry:
            taken = {name_of(other, raw).lower() for other, raw in once.items() if other != key}
            once[key] = _without(raw_entry, "name") if name_of(key, raw_entry).lower() in taken else raw_entry
    # A name taken away can be one that another entry has been given.
    names = [name_of(key, raw_entry).lower() for key, raw_entry in once.items()]
    return (
        once
        if len(names) == len(set(names))
        else {key: _without(raw_entry, "name") for key, raw_entry in once.items()}
    )


def _fitting(role: Spec) -> Spec:
    """At most one long policy: the others become short."""
    long = [name for name, document in role.get("inline_policies", {}).items() if LONG in str(document)]
    short = dict.fromkeys(long[1:], DOCUMENTS[0])
    return role | {"inline_policies": role["inline_policies"] | short} if short else role


def _buyable(fleet: Spec) -> Spec:
    """Without what does not go with its market; with something to launch where there is no Spot capacity."""
    if fleet.get("market") != "spot":
        return _without(_without(fleet, "fallback"), "max_price")
    for name in ("power", "termination_protection", "shutdown_behavior"):
        fleet = _without(fleet, name)
    return fleet | {"fallback": "on_demand"} if fleet["instance_type"] == WITHOUT_SPOT else fleet


def _existing(key: str, entries: Spec) -> str:
    return key if key in entries else sorted(entries)[0]


def _bound(raw: Spec, profiles: Spec) -> Spec:
    profile = raw.get("instance_profile")
    return raw | {"instance_profile": _existing(profile, profiles)} if profile else raw


def _without(raw: Spec, name: str) -> Spec:
    return {key: value for key, value in raw.items() if key != name}
