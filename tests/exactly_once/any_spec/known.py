"""Situations in which the program is known to fall short. Examples end where they come to one.

For each there is an example in the test that fails; when it no longer does, the situation goes from here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .environments import Spec, name_of
from .fake_iam import LARGEST_INLINE
from .oracle import MARK, Picture, bound_to, is_ours, members_wanted, names, selected

# How long converging goes on about an instance that is in the wrong state.
LONGEST_STOP_S = 20.0


def situation(spec: Spec, before: Picture) -> str | None:
    """The name of the situation that applying the spec comes to, if it is one of these."""
    return next((name for name, is_it in SITUATIONS.items() if is_it(spec, before)), None)


def name_in_another_case(spec: Spec, before: Picture) -> bool:
    """IAM ignores the case of names, and the program compares what it reads with what it asked for."""
    return any(
        things[name].name not in {raw.get("name", f"{spec['environment']}-{key}")}
        for section, things in (("roles", before.roles), ("instance_profiles", before.profiles))
        for name, key in names(spec, section).items()
        if name in things
        for raw in [spec[section][key]]
    )


def policies_that_change_places(spec: Spec, before: Picture) -> bool:
    """Inline policies are put in the order of their names, though only another order fits under the quota."""
    for name, key in names(spec, "roles").items():
        wanted = spec["roles"][key].get("inline_policies", {})
        sizes = {
            each: len(text)
            for each, text in (before.roles[name].inline if name in before.roles else {}).items()
            if each in wanted
        }
        for each in sorted(wanted):
            sizes[each] = len(str(wanted[each]))
            if sum(sizes.values()) > LARGEST_INLINE:
                return True
    return False


def choices_left_to_aws(spec: Spec, before: Picture) -> bool:
    """Members that were given what the spec now leaves to AWS, which docs/spec.md says is not compared."""

    def differs(raw: Spec, member: Any) -> bool:
        root = {key for disk in member.devices if disk["DeviceName"] == "/dev/xvda" for key in disk["Ebs"]}
        public = member.public_ip is not None and "associate_public_ip" not in raw
        return public or ("root_volume" in raw and "VolumeType" in root and "type" not in raw["root_volume"])

    return any(differs(raw, member) for raw, member in members_wanted(spec, before))


def profiles_marked_late(spec: Spec, before: Picture) -> bool:
    """Only once a profile is marked, what others have bound to it shows, and is to be detached."""
    for name, key in names(spec, "instance_profiles").items():
        profile = before.profiles.get(name)
        raws = [raw for raw in spec.get("attachments", {}).values() if raw["instance_profile"] == key]
        if profile and is_ours(profile) and MARK not in profile.tags and raws:
            chosen = {each for raw in raws for each in selected(raw, before)}
            if bound_to(profile, before.strangers()) - chosen:
                return True
    return False


def attachments_that_move(spec: Spec, before: Picture) -> bool:
    """An instance that goes from one of our profiles to another is both bound anew and freed."""
    for raw in spec.get("attachments", {}).values():
        wanted = name_of(raw["instance_profile"], spec["instance_profiles"][raw["instance_profile"]])
        for profile in before.profiles.values():
            moves = is_ours(profile) and MARK in profile.tags and profile.name.lower() != wanted.lower()
            if moves and bound_to(profile, before.strangers()) & selected(raw, before):
                return True
    return False


def attachments_that_meet(spec: Spec, before: Picture) -> bool:
    """An instance that two attachments choose, with the same profile, is bound by both."""
    chosen = [each for raw in spec.get("attachments", {}).values() for each in selected(raw, before)]
    return len(chosen) > len(set(chosen))


def stopping_for_long(spec: Spec, before: Picture) -> bool:
    """A profile cannot be bound to an instance that is stopping, and that takes longer than is waited for."""
    return any(each.state == "stopping" and each.lasts > LONGEST_STOP_S for each in before.live.values())


SITUATIONS: dict[str, Callable[[Spec, Picture], bool]] = {
    each.__name__: each
    for each in (
        name_in_another_case,
        policies_that_change_places,
        choices_left_to_aws,
        profiles_marked_late,
        attachments_that_move,
        attachments_that_meet,
        stopping_for_long,
    )
}
