"""Situations in which the program is known to fall short. Examples end where they come to one.

For each there is an example in the test that fails; when it no longer does, the situation goes from here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .environments import Spec
from .fake_iam import LARGEST_INLINE
from .fake_parts import ARN
from .oracle import MARK, PATH, Picture, members_wanted, names, selected

# How long converging goes on about an instance that is in the wrong state.
LONGEST_STOP_S = 20.0


def situation(spec: Spec, before: Picture) -> str | None:
    """The name of the situation that applying the spec comes to, if it is one of these."""
    return next((name for name, is_it in SITUATIONS.items() if is_it(spec, before)), None)


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
        return "root_volume" in raw and "VolumeType" in root and "type" not in raw["root_volume"]

    return any(differs(raw, member) for raw, member in members_wanted(spec, before))


def profiles_marked_late(spec: Spec, before: Picture) -> bool:
    """Only once a profile is there and marked, what others have bound to it, or to one before it, shows."""
    for name, key in names(spec, "instance_profiles").items():
        raws = [raw for raw in spec.get("attachments", {}).values() if raw["instance_profile"] == key]
        profile = before.profiles.get(name)
        chosen = {each for raw in raws for each in selected(raw, before)}
        bound = {
            each
            for each, one in before.strangers().items()
            if one.profile and one.profile[0].lower() == f"{ARN}instance-profile{PATH}{name}".lower()
        }
        if raws and not (profile and MARK in profile.tags) and bound - chosen:
            return True
    return False


def stopping_for_long(spec: Spec, before: Picture) -> bool:
    """A profile cannot be bound to an instance that is stopping, and that takes longer than is waited for."""
    return any(each.state == "stopping" and each.lasts > LONGEST_STOP_S for each in before.live.values())


SITUATIONS: dict[str, Callable[[Spec, Picture], bool]] = {
    each.__name__: each
    for each in (
        policies_that_change_places,
        choices_left_to_aws,
        profiles_marked_late,
        stopping_for_long,
    )
}
