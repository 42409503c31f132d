"""What to do so that an instance profile is as the spec says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from provisioner.kinds.base import World
from provisioner.kinds.iam import (
    IsStillThe,
    Named,
    Standing,
    leave_to_others,
    made_at,
    name_in,
    standing,
    tag_calls,
    why_untagged_is_kept,
)
from provisioner.kinds.instance_profile.observed import ObservedProfile, is_pending, is_unfinished
from provisioner.kinds.instance_profile.role_swap import (
    Exchange,
    add_role,
    end,
    mark,
    reassociation,
    remove_role,
)
from provisioner.kinds.instance_profile.spec import InstanceProfile
from provisioner.kinds.keep import is_kept, kept_unsaid, made_keep, refuse_kept, with_keep
from provisioner.kinds.tags import (
    is_crowded,
    made_tags,
    tag_changes,
    tag_list,
    too_many_tags,
)
from provisioner.model import Action, Address, Call, Change, FieldChange, Findings, Step
from provisioner.naming import ATTACHED_TAG, SWAPPED_TAG


def compare_profile(
    address: Address, profile: InstanceProfile | None, found: ObservedProfile | None, world: World
) -> Findings:
    """The changes of one instance profile, and of the instances that have it while its role is exchanged."""
    environment = world.environment
    if found:
        taken = (found.name, found.path, found.tags)
        theirs = leave_to_others(address, "instance profile", *taken, environment, is_wanted=bool(profile))
        if theirs is not None:
            return theirs
    if profile and not found:
        return Findings(changes=(_create(address, profile, world),))
    if profile and found:
        wanted, ignored = _tags(address, profile, world), with_keep(environment.ignore_tags, profile.keep)
        refusals = tuple(too_many_tags(address, wanted, found.tags, ignored))
        changes = () if refusals else tuple(_update(address, profile, found, world))
        notes = kept_unsaid(address, profile.keep, found.tags)
        return Findings(changes=changes, refusals=refusals, notes=notes)
    return _leaving(address, found, world) if found else Findings()


def _tags(address: Address, profile: InstanceProfile, world: World) -> dict[str, str]:
    """The tags that the profile is to have.

    Instances that are not ours cannot carry a mark that we attached something to them, so the profile
    does: whoever plans later knows from it to look for them, also when they have left the spec.
    """
    attached = any(
        at.kind == "attachment" and address in thing.uses for at, thing in world.environment.resources.items()
    )
    return dict(profile.tags) | ({ATTACHED_TAG: "yes"} if attached else {})


def _role_name(profile: InstanceProfile, world: World) -> str:
    """The name of its role, spelled as it is there: IAM ignores case in names, and keeps it."""
    observed = world.observed(profile.role)
    if observed and observed.arn:
        return name_in(observed.arn)
    return world.referred_to(Named, profile.role).name


def _create(address: Address, profile: InstanceProfile, world: World) -> Change:
    role = _role_name(profile, world)
    steps = (
        Call(
            "iam",
            "CreateInstanceProfile",
            {
                "InstanceProfileName": profile.name,
                "Path": profile.path,
                "Tags": tag_list(_tags(address, profile, world)),
            },
        ),
        add_role(profile.name, role),
    )
    fields = (
        FieldChange("role", None, role),
        *made_keep(profile.keep),
        *made_at(address, profile.name, profile.path),
        *made_tags(_tags(address, profile, world)),
    )
    return Change(address, Action.CREATE, "will be created", fields=fields, steps=steps)


def _update(
    address: Address, profile: InstanceProfile, found: ObservedProfile, world: World
) -> Iterator[Change]:
    role, held = _role_name(profile, world), ", ".join(found.roles) or None
    fields: list[FieldChange] = []
    steps: list[Step] = []
    reasons: list[str] = []
    is_swap = _holds_another(profile, found, world)
    if is_swap:
        fields.append(FieldChange("role", held, role))
        marks = mark(found.name, found.users)
        steps += (*marks, Exchange(found.name, found.roles, role, is_marked=bool(marks)))
        reasons.append("holds another role" if found.roles else "holds no role")
    desired = _tags(address, profile, world)
    ignored = with_keep(world.environment.ignore_tags, profile.keep)
    # Marks stay until the instances that they are about are free, or have the new role.
    kept = (SWAPPED_TAG, ATTACHED_TAG) if ATTACHED_TAG not in desired else (SWAPPED_TAG,)
    tags = tag_changes(desired, found.tags, (*ignored, *kept))
    if tags:
        fields += tags
        steps += tag_calls("InstanceProfile", found.name, tags, crowded=is_crowded(desired, found.tags))
        reasons.append("tags differ")
    is_marked = is_pending(found.tags)
    if is_marked and not found.users.members and not is_swap:
        fields.append(FieldChange(f"tags.{SWAPPED_TAG}", found.tags[SWAPPED_TAG], None))
        steps.append(end(found.name, found.users))
        reasons.append("no instance has a former role any more")
    if fields:
        yield Change(address, Action.UPDATE, ", ".join(reasons), fields=tuple(fields), steps=tuple(steps))
    if is_swap or is_marked:
        yield from reassociation(address, found.name, found.arn, found.users, held if is_swap else None, role)


def _holds_another(profile: InstanceProfile, found: ObservedProfile, world: World) -> bool:
    role = _role_name(profile, world)
    return [held.lower() for held in found.roles] != [role.lower()]


def is_swapped(address: Address, found: ObservedProfile, world: World, now: datetime) -> bool:
    """Whether its role is to be exchanged, or was a moment ago."""
    profile = world.desired_as(InstanceProfile, address)
    if profile is None or not found.is_owned_by(world.environment):
        return False
    return _holds_another(profile, found, world) or is_unfinished(found.tags, now)


def why_kept(found: ObservedProfile, world: World) -> str | None:
    """Why a profile that is to go stays, and what to do about it; None: nothing stands in the way."""
    if standing(found.path, found.tags, world.environment) is Standing.UNTAGGED:
        return why_untagged_is_kept("instance profile")
    if found.foreign_users:
        verb, they = ("uses", "it loses its") if len(found.foreign_users) == 1 else ("use", "they lose their")
        return (
            f"{', '.join(found.foreign_users)}, not of this environment, still {verb} it; without it {they} "
            "credentials; detach it there, or attach it there in the spec and apply, then do this again"
        )
    problem = found.elsewhere.problem(found.arn)
    return f"it {problem[0]}; {problem[1]}, then do this again" if problem else None


def _leaving(address: Address, found: ObservedProfile, world: World) -> Findings:
    if is_kept(found.tags):
        message = f"instance profile {found.name} would be deleted, and is kept"
        return Findings(refusals=(refuse_kept(address, message, world),))
    reason = "will be destroyed" if world.destroying else "no longer in the spec"
    kept = why_kept(found, world)
    steps: tuple[Step, ...] = (
        IsStillThe("InstanceProfile", found.name, found.id),
        *(remove_role(found.name, role) for role in found.roles),
        Call("iam", "DeleteInstanceProfile", {"InstanceProfileName": found.name}),
    )
    fields = (
        FieldChange("name", found.name, None),
        FieldChange("role", ", ".join(found.roles) or None, None),
    )
    change = Change(
        address,
        Action.DELETE,
        reason,
        fields=fields if found.roles else fields[:1],
        steps=() if kept else steps,
        deferred=kept,
        unique_id=found.id,
    )
    return Findings(changes=(change,))
