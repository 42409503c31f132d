"""What a spec says should exist, compared with what does, in plain code that shares nothing with the program.

Written from docs/spec.md and the rules of ownership; reads the spec's mapping and the fake's objects.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from tests.properties.any_spec.environments import ENVIRONMENT, Spec, name_of
from tests.properties.any_spec.fake_iam import Profile
from tests.properties.any_spec.fake_parts import REGION, Machine
from tests.properties.any_spec.fleets import check_fleets, refused_fleets
from tests.properties.any_spec.picture import (
    KEEP,
    MARK,
    OWNER,
    PATH,
    SWAPPED,
    Picture,
    binding,
    check_tags,
    fleet_of,
    is_ours,
    names,
)

# What roles and profiles carry besides the tags of the spec.
OURS = {OWNER: ENVIRONMENT, "provisioner:region": REGION}

Deferred = dict[tuple[str, str], frozenset[str]]


def bound_to(profile: Profile, machines: Mapping[str, Machine]) -> set[str]:
    """The instances that are bound to a profile of this name and path, an earlier one included."""
    return {
        identifier for identifier, one in machines.items() if one.profile and one.profile[0] == profile.arn
    }


def selected(raw: Spec, before: Picture) -> set[str]:
    """The live instances that an attachment chooses."""
    if "instances" in raw:
        return {identifier for identifier in raw["instances"] if identifier in before.live}
    wanted = raw["select"]["tags"].items()
    return {identifier for identifier, one in before.live.items() if wanted <= one.tags.items()}


# --- what has to be refused


def refusals(spec: Spec, before: Picture) -> set[str]:
    """The names of all things for which a plan has to be refused."""
    return {
        *_refused_roles(spec, before),
        *_refused_profiles(spec, before),
        *refused_fleets(spec, before),
        *_refused_attachments(spec, before),
    }


def _refused_roles(spec: Spec, before: Picture) -> Iterator[str]:
    wanted = names(spec, "roles")
    for name, role in before.roles.items():
        if not is_ours(role) if name in wanted else is_ours(role) and KEEP in role.tags:
            yield f"role {role.name}"


def _refused_profiles(spec: Spec, before: Picture) -> Iterator[str]:
    wanted = names(spec, "instance_profiles")
    for name, profile in before.profiles.items():
        if not is_ours(profile) if name in wanted else is_ours(profile) and KEEP in profile.tags:
            yield f"instance_profile {profile.name}"


def _refused_attachments(spec: Spec, before: Picture) -> Iterator[str]:
    attachments = spec.get("attachments", {})
    for key, raw in attachments.items():
        chosen = selected(raw, before)
        own = [identifier for identifier in chosen if _has_an_owner(before.machines[identifier])]
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
    chosen = {
        identifier for raw in spec.get("attachments", {}).values() for identifier in selected(raw, before)
    }
    return {
        identifier
        for identifier, one in before.strangers().items()
        if identifier in chosen and one.profile and PATH in one.profile[0] and one.profile[0] not in there
    }


def check(spec: Spec, before: Picture, after: Picture, freed: Collection[str] = ()) -> Deferred:
    """Everything is as the spec says but for what is returned: what differs and has to be put off.

    By address and field: the instances concerned; none for a role. `freed`: what else loses its profile.
    """
    deferred = dict(_check_roles(spec, before, after))
    _check_profiles(spec, before, after)
    check_fleets(spec, before, after)
    _check_strangers(spec, before, after, freed)
    return deferred


def _check_roles(
    spec: Spec, before: Picture, after: Picture
) -> Iterator[tuple[tuple[str, str], frozenset[str]]]:
    wanted = names(spec, "roles")
    there = {name for name, role in after.roles.items() if is_ours(role)}
    assert there == wanted.keys() | _kept_roles(spec, before)
    for name, role in before.roles.items():
        if not is_ours(role) or name in _kept_roles(spec, before):
            assert after.roles[name] == role, f"role {role.name} is not ours, or kept, and was changed"
    for name, key in wanted.items():
        raw, role = spec["roles"][key], after.roles[name]
        if name in before.roles:
            assert role.id == before.roles[name].id, "a role was made again"
        if role.path != PATH + raw.get("path", ""):
            assert role.path == before.roles[name].path
            yield (f"role/{key}", "path"), frozenset()
        assert role.description == raw.get("description", "")
        assert role.duration == raw.get("max_session_duration", 3600)
        assert role.boundary == _policy(raw.get("permissions_boundary"))
        assert role.attached == {_policy(policy) for policy in raw.get("managed_policies", ())}
        assert _meaning(json.loads(role.trust)) == _meaning(_trust(raw.get("trust", "ec2.amazonaws.com")))
        assert {name: _meaning(json.loads(text)) for name, text in role.inline.items()} == {
            name: _meaning(document) for name, document in raw.get("inline_policies", {}).items()
        }
        check_tags(role.tags, spec, raw, OURS)


def _kept_profiles(spec: Spec, before: Picture) -> set[str]:
    """The profiles that are to go and stay: somebody else uses them, or they are not tagged as ours."""
    wanted, attached = names(spec, "instance_profiles"), _attached(spec, before)
    kept = set()
    for name, profile in before.profiles.items():
        users = () if MARK in profile.tags else bound_to(profile, before.strangers()) - attached
        if is_ours(profile) and name not in wanted and (OWNER not in profile.tags or users):
            kept.add(name)
    return kept


def _attached(spec: Spec, before: Picture) -> set[str]:
    """The instances of others to which attachments give a profile, whatever they have now."""
    chosen = {
        identifier for raw in spec.get("attachments", {}).values() for identifier in selected(raw, before)
    }
    return {identifier for identifier in chosen if OWNER not in before.machines[identifier].tags}


def _unmarked(profile: Profile) -> Profile:
    return replace(profile, tags={key: value for key, value in profile.tags.items() if key != MARK})


def _kept_roles(spec: Spec, before: Picture) -> set[str]:
    """The roles that are to go and stay: not tagged as ours, in a profile that stays, or still somebody's."""
    wanted, profiles = names(spec, "roles"), _kept_profiles(spec, before)
    kept = set()
    for name, role in before.roles.items():
        users = {profile_name: one for profile_name, one in before.profiles.items() if one.role == role.name}
        in_the_way = any(not is_ours(one) or profile_name in profiles for profile_name, one in users.items())
        if is_ours(role) and name not in wanted and (OWNER not in role.tags or in_the_way):
            kept.add(name)
    return kept | _possessed_roles(spec, before)


def _has_an_owner(machine: Machine) -> bool:
    """Whether it is a member of the environment, or another environment's by its tags."""
    return fleet_of(machine) is not None or machine.tags.get(OWNER, ENVIRONMENT) != ENVIRONMENT


def _possessed_roles(spec: Spec, before: Picture) -> set[str]:
    """The roles that have left the spec and that instances of others may have for another hour."""
    wanted, roles = names(spec, "instance_profiles"), names(spec, "roles")
    attached = _attached(spec, before)
    leaving = {name for name, role in before.roles.items() if is_ours(role) and name not in roles}
    kept: set[str] = set()
    for name, profile in before.profiles.items():
        foreign = {
            identifier
            for identifier in bound_to(profile, before.live)
            if before.machines[identifier].profile == (profile.arn, profile.id)
            and not fleet_of(before.machines[identifier])
            and before.machines[identifier].state in ("pending", "running")
            and identifier not in attached
        }
        if name in wanted and is_ours(profile) and foreign and MARK not in profile.tags:
            held = (profile.role or "").lower()
            kept |= leaving if SWAPPED in profile.tags else leaving & {held}
    return kept


def _check_profiles(spec: Spec, before: Picture, after: Picture) -> None:
    wanted = names(spec, "instance_profiles")
    kept = _kept_profiles(spec, before)
    assert {name for name, profile in after.profiles.items() if is_ours(profile)} == wanted.keys() | kept
    for name, profile in before.profiles.items():
        if name in kept:
            # Its mark goes with the last instance that an attachment had put it on.
            left = [_unmarked(profile), profile] if MARK in profile.tags else [profile]
            assert after.profiles[name] in left, f"profile {profile.name} was to be kept and was changed"
        elif not is_ours(profile):
            assert after.profiles[name] == profile, f"profile {profile.name} is not ours and was changed"
        elif name in wanted:
            assert after.profiles[name].id == profile.id, "a profile was made again"
    for name, key in wanted.items():
        raw, profile = spec["instance_profiles"][key], after.profiles[name]
        role = raw["role"]
        assert profile.path == PATH
        assert (profile.role or "").lower() == name_of(role, spec["roles"][role]).lower()
        is_attached = any(
            attachment["instance_profile"] == key for attachment in spec.get("attachments", {}).values()
        )
        # Its users of others may have the former role for a while, which it says as long as that may be so.
        has = {
            key: value
            for key, value in profile.tags.items()
            if (key, value) == (SWAPPED, "pending") or key != SWAPPED
        }
        check_tags(has, spec, raw, OURS | ({MARK: "yes"} if is_attached else {}))


def _check_strangers(spec: Spec, before: Picture, after: Picture, freed: Collection[str]) -> None:
    """What is not ours is as it was, but for the profiles that attachments put on it and take off."""
    wanted: dict[str, str] = {}
    for raw in spec.get("attachments", {}).values():
        wanted |= dict.fromkeys(selected(raw, before), raw["instance_profile"])
    # Those that carry the mark of an attachment, and those that have it afterwards: some are made only now.
    every = (*before.profiles.values(), *after.profiles.values())
    ours = [profile for profile in every if is_ours(profile) and MARK in profile.tags]
    freed = {*freed, *(identifier for profile in ours for identifier in bound_to(profile, before.live))}
    for identifier, machine in before.live.items():
        if fleet_of(machine) is not None:
            continue
        now = copy.copy(after.machines[identifier])
        now.bindings, now.association = machine.bindings, machine.association
        if identifier in wanted and OWNER in machine.tags:
            assert now.profile == machine.profile, (
                f"{identifier} is dressed as a member, and was attached or freed"
            )
        elif identifier in wanted:
            assert now.profile == binding(wanted[identifier], spec, after), (
                f"{identifier} is attached to {now.profile}"
            )
        elif identifier in freed:
            assert now.profile is None, f"{identifier} is still attached to {now.profile}"
        else:
            assert now.profile == machine.profile, f"{identifier} was not ours to attach or free"
        now.profile, now.state, now.next = machine.profile, machine.state, machine.next
        now.due, now.checked = machine.due, machine.checked
        assert now == machine, f"{identifier} is not ours and was changed"
        assert after.machines[identifier].is_live == machine.is_live


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
        json.dumps(_meaning(item), sort_keys=True) if isinstance(item, dict) else str(item).lower()
        for item in listed
    )
