"""What a spec says should exist, compared with what does, in plain code that shares nothing with the program.

Written from docs/spec.md and the rules of ownership; reads the spec's mapping and the fake's objects.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from .environments import ENVIRONMENT, SECTIONS, Spec, name_of
from .fake_aws import FakeAws
from .fake_iam import Profile, Role
from .fake_parts import ARN, GROUPS, SUBNETS, Machine

PATH = f"/provisioner/{ENVIRONMENT}/"
OWNER = "provisioner:environment"
FLEET = "provisioner:fleet"
MARK = "provisioner:attached"
# What the program notes on members for itself.
NOTES = ("provisioner:launch", "provisioner:asked", "provisioner:index")
Deferred = dict[tuple[str, str], frozenset[str]]


@dataclass(frozen=True)
class Picture:
    """Everything there is at one moment."""

    roles: Mapping[str, Role]
    profiles: Mapping[str, Profile]
    machines: Mapping[str, Machine]

    @property
    def live(self) -> dict[str, Machine]:
        return {each: machine for each, machine in self.machines.items() if machine.is_live}

    def members(self, fleet: str) -> dict[str, Machine]:
        return {each: one for each, one in self.live.items() if fleet_of(one) == fleet}

    def strangers(self) -> dict[str, Machine]:
        """What lives and is not the environment's."""
        return {each: one for each, one in self.live.items() if one.tags.get(OWNER) != ENVIRONMENT}


def picture(aws: FakeAws) -> Picture:
    return copy.deepcopy(Picture(aws.iam.roles, aws.iam.profiles, aws.ec2.machines))


def settled(seen: Picture) -> Picture:
    """The same when every change of state that has begun is over."""
    machines = {}
    for each, machine in seen.machines.items():
        machines[each] = now = copy.copy(machine)
        now.state, now.next, now.due, now.lasts = machine.next or machine.state, "", 0.0, 0.0
        if now.state == "terminated":
            now.profile = now.association = None
    return Picture(seen.roles, seen.profiles, machines)


def fleet_of(machine: Machine) -> str | None:
    """The fleet of the environment that an instance belongs to."""
    return machine.tags.get(FLEET) if machine.tags.get(OWNER) == ENVIRONMENT else None


def is_ours(thing: Role | Profile) -> bool:
    """Path and tag say so, or the path does and the tag is missing."""
    return thing.path.startswith(PATH) and thing.tags.get(OWNER, ENVIRONMENT) == ENVIRONMENT


def bound_to(profile: Profile, machines: Mapping[str, Machine]) -> set[str]:
    """The instances that are bound to a profile of this name and path, an earlier one included."""
    return {each for each, one in machines.items() if one.profile and one.profile[0] == profile.arn}


def nothing(spec: Spec) -> Spec:
    """The same environment when all of it is to go."""
    return {name: value for name, value in spec.items() if name not in SECTIONS}


def names(spec: Spec, section: str) -> dict[str, str]:
    """The keys of roles or profiles by their names in AWS, in lower case."""
    return {name_of(key, raw).lower(): key for key, raw in spec.get(section, {}).items()}


def selected(raw: Spec, before: Picture) -> set[str]:
    """The live instances that an attachment chooses."""
    if "instances" in raw:
        return {each for each in raw["instances"] if each in before.live}
    wanted = raw["select"]["tags"].items()
    return {each for each, one in before.live.items() if wanted <= one.tags.items()}


def members_wanted(spec: Spec, before: Picture) -> Iterator[tuple[Spec, Machine]]:
    """Each member of each fleet that the spec has, with what the spec says of that."""
    for key, raw in spec.get("fleets", {}).items():
        for member in before.members(key).values():
            yield raw, member


# --- what has to be refused


def refusals(spec: Spec, before: Picture) -> set[str]:
    """The names of all things for which a plan has to be refused."""
    return {
        *_refused_roles(spec, before),
        *_refused_profiles(spec, before),
        *_refused_fleets(spec, before),
        *_refused_attachments(spec, before),
    }


def _refused_roles(spec: Spec, before: Picture) -> Iterator[str]:
    wanted = names(spec, "roles")
    for name, role in before.roles.items():
        users = [each for each in before.profiles.values() if each.role == role.name]
        if name in wanted:
            if not is_ours(role):
                yield f"role {role.name}"
        elif is_ours(role) and (OWNER not in role.tags or not all(map(is_ours, users))):
            yield f"role {role.name}"


def _refused_profiles(spec: Spec, before: Picture) -> Iterator[str]:
    wanted = names(spec, "instance_profiles")
    for name, profile in before.profiles.items():
        if name in wanted:
            if not is_ours(profile):
                yield f"instance_profile {profile.name}"
        elif is_ours(profile):
            strangers = bound_to(profile, before.strangers())
            if OWNER not in profile.tags or (strangers and MARK not in profile.tags):
                yield f"instance_profile {profile.name}"


def _refused_fleets(spec: Spec, before: Picture) -> Iterator[str]:
    for key in {fleet_of(machine) for machine in before.live.values()} - {None}:
        assert key is not None
        members = before.members(key).values()
        most = spec.get("fleets", {}).get(key, {"count": 0})["count"]
        if sum(member.protected for member in members) > most:
            yield f"fleet {key}"


def strays(before: Picture) -> list[Machine]:
    """Instances of the environment that belong to no fleet: destroying cannot tell what they are for."""
    return [one for one in before.live.values() if one.tags.get(OWNER) == ENVIRONMENT and not fleet_of(one)]


def _refused_attachments(spec: Spec, before: Picture) -> Iterator[str]:
    attachments = spec.get("attachments", {})
    for key, raw in attachments.items():
        chosen = selected(raw, before)
        own = [each for each in chosen if OWNER in before.machines[each].tags]
        if own or set(raw.get("instances", ())) - chosen:
            yield f"attachment {key}"
        for other, rival in attachments.items():
            differs = rival["instance_profile"] != raw["instance_profile"]
            if other > key and differs and chosen & selected(rival, before):
                yield f"attachment {key}"


# --- what has to be there afterwards


def bound_to_what_is_gone(spec: Spec, before: Picture) -> set[str]:
    """What the spec attaches to, and is bound to a profile of the environment that is no longer there."""
    there = {profile.arn for profile in before.profiles.values()}
    chosen = {each for raw in spec.get("attachments", {}).values() for each in selected(raw, before)}
    return {
        each
        for each, one in before.strangers().items()
        if each in chosen and one.profile and PATH in one.profile[0] and one.profile[0] not in there
    }


def check(spec: Spec, before: Picture, after: Picture, freed: Collection[str] = ()) -> Deferred:
    """Everything is as the spec says but for what is returned: what differs and has to be put off.

    By address and field: the instances concerned; none for a role. `freed`: what else loses its profile.
    """
    deferred = dict(_check_roles(spec, before, after))
    _check_profiles(spec, before, after)
    for key in {fleet_of(each) for each in (*before.live.values(), *after.live.values())} - {None}:
        assert key is not None
        deferred |= _check_fleet(key, spec, before, after)
    for key, raw in spec.get("fleets", {}).items():
        assert len(after.members(key)) == raw["count"], f"fleet {key} has {sorted(after.members(key))}"
    _check_strangers(spec, before, after, freed)
    return deferred


def _check_roles(
    spec: Spec, before: Picture, after: Picture
) -> Iterator[tuple[tuple[str, str], frozenset[str]]]:
    wanted = names(spec, "roles")
    assert {name for name, role in after.roles.items() if is_ours(role)} == wanted.keys()
    for name, role in before.roles.items():
        if not is_ours(role):
            assert after.roles[name] == role, f"role {role.name} is not ours and was changed"
    for name, key in wanted.items():
        raw, role = spec["roles"][key], after.roles[name]
        if role.path != PATH + raw.get("path", ""):
            assert role == before.roles[name], "a role at another path has to be left"
            yield (f"role/{key}", "path"), frozenset()
            continue
        assert role.description == raw.get("description", "")
        assert role.duration == raw.get("max_session_duration", 3600)
        assert role.boundary == _policy(raw.get("permissions_boundary"))
        assert role.attached == {_policy(each) for each in raw.get("managed_policies", ())}
        assert _meaning(json.loads(role.trust)) == _meaning(_trust(raw.get("trust", "ec2.amazonaws.com")))
        assert {name: _meaning(json.loads(text)) for name, text in role.inline.items()} == {
            name: _meaning(document) for name, document in raw.get("inline_policies", {}).items()
        }
        _check_tags(role.tags, spec, raw, {OWNER: ENVIRONMENT})


def _check_profiles(spec: Spec, before: Picture, after: Picture) -> None:
    wanted = names(spec, "instance_profiles")
    assert {name for name, profile in after.profiles.items() if is_ours(profile)} == wanted.keys()
    for name, profile in before.profiles.items():
        if not is_ours(profile):
            assert after.profiles[name] == profile, f"profile {profile.name} is not ours and was changed"
        elif name in wanted:
            assert after.profiles[name].id == profile.id, "a profile was made again"
    for name, key in wanted.items():
        raw, profile = spec["instance_profiles"][key], after.profiles[name]
        role = raw["role"]
        assert profile.path == PATH
        assert (profile.role or "").lower() == name_of(role, spec["roles"][role]).lower()
        is_attached = any(each["instance_profile"] == key for each in spec.get("attachments", {}).values())
        _check_tags(profile.tags, spec, raw, {OWNER: ENVIRONMENT} | ({MARK: "yes"} if is_attached else {}))


def _check_fleet(key: str, spec: Spec, before: Picture, after: Picture) -> Deferred:
    raw = spec.get("fleets", {}).get(key, {"count": 0})
    was, now = before.members(key), after.members(key)
    new, kept = now.keys() - was.keys(), now.keys() & was.keys()
    assert len(new) == max(0, raw["count"] - len(was)), f"{len(new)} new members of fleet {key}"
    assert len(kept) == min(raw["count"], len(was)), f"{len(was) - len(kept)} members of fleet {key} went"
    if key not in spec.get("fleets", {}):
        return {}
    differing = {each: set(_fixed(raw, one)) for each, one in now.items()}
    for each in new:
        assert not differing[each], f"a new member has another {differing[each]}"
        assert now[each].volume_tags.items() >= _tags(spec, raw).items()
    for each, member in now.items():
        if each in was:
            assert member.state == was[each].state.replace("stopping", "stopped").replace(
                "pending", "running"
            )
        _check_member(key, spec, raw, member, after)
    _check_names(key, raw, now)
    _check_who_went(raw, was, kept)
    _check_spread(raw, kept, new, now)
    fields = {field for each in differing.values() for field in each}
    return {
        (f"fleet/{key}", field): frozenset(each for each in now if field in differing[each])
        for field in fields
    }


def _check_member(key: str, spec: Spec, raw: Spec, member: Machine, after: Picture) -> None:
    _check_tags(
        {name: value for name, value in member.tags.items() if name not in (*NOTES, "Name")},
        spec,
        raw,
        {OWNER: ENVIRONMENT, FLEET: key},
    )
    options = raw.get("metadata", {})
    assert member.metadata == {
        "HttpTokens": options.get("http_tokens", "required"),
        "HttpEndpoint": options.get("http_endpoint", "enabled"),
        "HttpPutResponseHopLimit": options.get("hop_limit", 1),
        "InstanceMetadataTags": options.get("instance_tags", "disabled"),
    }
    assert member.monitoring == raw.get("monitoring", False)
    assert member.protected == raw.get("termination_protection", False)
    assert member.shutdown == raw.get("shutdown_behavior", "stop")
    if "security_groups" in raw:
        assert sorted(GROUPS[each] for each in member.groups) == sorted(
            GROUPS.get(each, each) for each in raw["security_groups"]
        )
    wanted = raw.get("instance_profile")
    assert member.profile == (_binding(wanted, spec, after) if wanted else None)


def _check_names(key: str, raw: Spec, members: Mapping[str, Machine]) -> None:
    template = raw.get("name", f"{ENVIRONMENT}-{key}")
    if "{" not in template:
        assert {member.tags.get("Name") for member in members.values()} <= {template}
        return
    numbers = [int(member.tags["provisioner:index"]) for member in members.values()]
    assert len(set(numbers)) == len(numbers)
    assert all(number > 0 for number in numbers)
    for member in members.values():
        assert member.tags["Name"] == template.format(index=int(member.tags["provisioner:index"]))


def _check_who_went(raw: Spec, was: Mapping[str, Machine], kept: Iterable[str]) -> None:
    """First those with settings that cannot be changed while they run, then those that are stopped."""
    kept = set(kept)

    def rank(each: str) -> int:
        if any(_fixed(raw, was[each])):
            return 0
        return 1 if was[each].state in ("stopping", "stopped") else 2

    gone = [rank(each) for each in was if each not in kept]
    stayed = [rank(each) for each in kept if not was[each].protected]
    assert not any(was[each].protected for each in was if each not in kept)
    assert max(gone, default=0) <= min(stayed, default=2), "others should have gone"


def _check_spread(raw: Spec, kept: Iterable[str], new: Iterable[str], now: Mapping[str, Machine]) -> None:
    """New members go where there are fewest."""
    allowed = set(raw["subnets"]) if isinstance(raw.get("subnets"), list) else set(SUBNETS)
    zones = raw.get("availability_zones", SUBNETS.values())
    load = Counter(now[each].subnet for each in (*kept, *new))
    usable = {subnet for subnet in allowed if SUBNETS[subnet] in zones and not subnet.endswith("e")}
    if raw.get("subnets") == {"tags": {"tier": "one"}}:
        usable = set(list(SUBNETS)[:2])
    for each in new:
        assert now[each].subnet in usable
        assert load[now[each].subnet] <= min(load[subnet] for subnet in usable) + 1


def _fixed(raw: Spec, member: Machine) -> Iterator[str]:
    """The fields in which a member differs and that cannot be changed while it runs."""
    kinds = raw.get("instance_type", member.type)
    if member.type not in (kinds if isinstance(kinds, list) else [kinds]):
        yield "instance_type"
    if raw.get("ebs_optimized", member.ebs_optimized) != member.ebs_optimized:
        yield "ebs_optimized"
    if raw.get("user_data", "") != member.user_data:
        yield "user_data"
    if isinstance(raw.get("image"), str) and raw["image"] != member.image:
        yield "image"
    if raw.get("key_name") != member.key:
        yield "key_name"
    if isinstance(raw.get("subnets"), list) and member.subnet not in raw["subnets"]:
        yield "subnets"
    if member.zone not in raw.get("availability_zones", [member.zone]):
        yield "availability_zones"
    if raw.get("tenancy", "default") != member.tenancy:
        yield "tenancy"
    disks = {each["DeviceName"]: each["Ebs"] for each in member.devices}
    root = disks.pop("/dev/xvda", {})
    if not _has_disk(root, raw.get("root_volume", {})):
        yield "root_volume"
    volumes = {each["device"]: {"type": "gp3"} | each for each in raw.get("volumes", ())}
    if "volumes" in raw and (
        volumes.keys() != disks.keys() or not all(_has_disk(disks[each], volumes[each]) for each in disks)
    ):
        yield "volumes"
    if raw.get("associate_public_ip", member.public_ip) != member.public_ip:
        yield "associate_public_ip"


def _has_disk(disk: Mapping[str, Any], raw: Spec) -> bool:
    called = {"size_gb": "VolumeSize", "type": "VolumeType"}
    return all(disk.get(called[name]) == raw[name] for name in called.keys() & raw.keys())


def _check_strangers(spec: Spec, before: Picture, after: Picture, freed: Collection[str]) -> None:
    """What is not ours is as it was, but for the profiles that attachments put on it and take off."""
    wanted: dict[str, str] = {}
    for raw in spec.get("attachments", {}).values():
        wanted |= dict.fromkeys(selected(raw, before), raw["instance_profile"])
    ours = [each for each in before.profiles.values() if is_ours(each) and MARK in each.tags]
    freed = {*freed, *(each for profile in ours for each in bound_to(profile, before.live))}
    for each, machine in before.live.items():
        if fleet_of(machine) is not None:
            continue
        now = copy.copy(after.machines[each])
        now.bindings, now.association = machine.bindings, machine.association
        if machine.tags.get(OWNER) != ENVIRONMENT:
            if each in wanted:
                assert now.profile == _binding(wanted[each], spec, after), (
                    f"{each} is attached to {now.profile}"
                )
            elif each in freed:
                assert now.profile is None, f"{each} is still attached to {now.profile}"
            else:
                assert now.profile == machine.profile, f"{each} was not ours to attach or free"
        now.profile, now.state, now.next = machine.profile, machine.state, machine.next
        now.due, now.lasts = machine.due, machine.lasts
        assert now == machine, f"{each} is not ours and was changed"
        assert after.machines[each].is_live == machine.is_live


def _check_tags(has: Mapping[str, str], spec: Spec, raw: Spec, more: Mapping[str, str]) -> None:
    ignored = ("aws:*", *spec.get("ignore_tags", ()))

    def compared(tags: Mapping[str, str]) -> dict[str, str]:
        return {
            key: value for key, value in tags.items() if not any(fnmatchcase(key, each) for each in ignored)
        }

    assert compared(has) == compared({**_tags(spec, raw), **more})


def _tags(spec: Spec, raw: Spec) -> dict[str, str]:
    return {**spec.get("tags", {}), **raw.get("tags", {})}


def _binding(key: str, spec: Spec, after: Picture) -> tuple[str, str]:
    """What an instance with this profile is bound to: the profile that is there now."""
    name = name_of(key, spec["instance_profiles"][key])
    return f"{ARN}instance-profile{PATH}{after.profiles[name.lower()].name}", after.profiles[name.lower()].id


def _policy(written: str | None) -> str | None:
    return written if written is None or written.startswith("arn:") else f"arn:aws:iam::aws:policy/{written}"


def _trust(written: Any) -> Any:
    if isinstance(written, dict):
        return written
    principal = {"Service": written}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def _meaning(document: Any) -> Any:
    """A policy with lists for scalars, in order and in lower case: enough for those that are made here."""
    if isinstance(document, dict):
        return {key: _meaning(value) for key, value in document.items()}
    listed = document if isinstance(document, list) else [document]
    return sorted(
        json.dumps(_meaning(each), sort_keys=True) if isinstance(each, dict) else str(each).lower()
        for each in listed
    )
