"""What to do so that instances have the profile that an attachment gives them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from provisioner.kinds.attachment.observed import Attachment, ObservedAttachment, foreign, wrongly_bound
from provisioner.kinds.base import World
from provisioner.kinds.instance_profile.binding import bind, release, wanted_at
from provisioner.kinds.instances import Instance, by_ids, group_by, named, names_of
from provisioner.kinds.launch_token import launches_of
from provisioner.kinds.tags import (
    tags_in_words,
)
from provisioner.model import Action, Address, Call, Change, FieldChange, Note, Refusal, Step
from provisioner.naming import ATTACHED_TAG, ENVIRONMENT_TAG, FLEET_TAG, owner_of_path

# How many ids a refusal names.
MAX_TOLD = 5


def notes(
    address: Address, attachment: Attachment, observed: ObservedAttachment, world: World
) -> Iterator[Note]:
    if attachment.tags and not observed.chosen:
        yield Note(address, f"no instance has the tags {tags_in_words(attachment.tags)}")
    them = foreign(observed, world)
    if them:
        message = (
            f"{_some(them)} with the tags of this environment, which has not launched it: it is not given "
            f"the profile. Take the tags {ENVIRONMENT_TAG} and {FLEET_TAG} off, or choose others here"
        )
        yield Note(address, message, is_warning=True)


def refusals(
    address: Address, attachment: Attachment, observed: ObservedAttachment, world: World
) -> Iterator[Refusal]:
    found = {instance.id for instance in observed.chosen}
    missing = [instance for instance in attachment.instances if instance not in found]
    if missing:
        yield Refusal(
            address,
            f"ec2 DescribeInstances: there is no live instance {', '.join(missing)} "
            f"in {world.environment.region}",
            "correct `instances:`; each id of the list has to be an instance of this region",
            exit_code=1,
        )
    launches = launches_of(world)
    for instances in group_by(
        observed.chosen, lambda instance: (_owner(instance), launches.fleet_of(instance) is not None)
    ):
        owner, is_launched = _owner(instances[0]), launches.fleet_of(instances[0]) is not None
        belong = f"{_some(instances)} {'belongs' if len(instances) == 1 else 'belong'} to"
        if owner == world.environment.name and is_launched:
            hint = "give the fleet the `instance_profile:`, and choose others here"
            yield Refusal(address, f"{belong} a fleet of this environment", hint)
        elif owner and owner != world.environment.name:
            hint = "its own spec says which profile an instance has; choose others here"
            yield Refusal(address, f"{belong} the environment {owner}", hint)
    unowned = [instance for instance in observed.chosen if not _owner(instance)]
    for instances in group_by(unowned, _attached_by):
        attached_by = _attached_by(instances[0])
        if attached_by and attached_by != world.environment.name:
            yield Refusal(
                address,
                f"{_some(instances)} with an instance profile that environment {attached_by} has attached",
                "take them out of its attachments and apply that first, or choose others here",
            )
    for other, thing in world.environment.of(Attachment).items():
        there = world.observed_as(ObservedAttachment, other)
        if there and other > address and thing.profile != attachment.profile:
            both = found & {instance.id for instance in there.chosen}
            if both:
                yield Refusal(
                    address,
                    f"{', '.join(sorted(both))} is in {other} too, with another profile",
                    "an instance has one profile; take it out of one of the two",
                )


def _owner(instance: Instance) -> str | None:
    return instance.tag(ENVIRONMENT_TAG)


def _attached_by(instance: Instance) -> str | None:
    """The environment whose profile an instance is bound to: the path of the profile says so."""
    return owner_of_path(instance.profile.arn) if instance.profile else None


def _some(instances: Sequence[Instance]) -> str:
    """The ids and names, of many only the first ones."""
    told = ", ".join(named(instance) for instance in instances[:MAX_TOLD])
    more = len(instances) - MAX_TOLD
    return f"{told} and {more} more" if more > 0 else told


def attach(
    address: Address, attachment: Attachment, observed: ObservedAttachment, world: World
) -> Iterator[Change]:
    selected = (FieldChange("select.tags", None, attachment.tags),) if attachment.tags else ()
    wanted = wanted_at(attachment.profile, world)
    for instances in group_by(
        wrongly_bound(address, attachment, observed, world), lambda instance: instance.profile
    ):
        before = instances[0].profile
        ids = tuple(instance.id for instance in instances)
        reason = "no instance profile yet"
        if before:
            reason = (
                "bound to a profile of that name that was deleted"
                if before.arn == wanted.arn
                else "has another instance profile, which is taken off"
            )
        yield Change(
            address,
            Action.UPDATE if before else Action.CREATE,
            reason,
            fields=(
                FieldChange("instance_profile", before.name if before else None, wanted.name),
                *(() if before else selected),
            ),
            instances=ids,
            size=len(ids),
            steps=bind(instances, wanted.name, wanted.arn, _only(observed.associations, ids), by_ids(ids)),
            exact=True,
            names=names_of(instances),
        )


def detach(address: Address, observed: ObservedAttachment, world: World) -> Iterator[Change]:
    if not observed.left and not observed.marked:
        return
    ids = tuple(instance.id for instance in observed.left)
    unmark: tuple[Step, ...] = (
        (
            Call(
                "iam",
                "UntagInstanceProfile",
                {"InstanceProfileName": observed.marked, "TagKeys": [ATTACHED_TAG]},
            ),
        )
        if observed.marked
        else ()
    )
    profiles = sorted({instance.profile.name for instance in observed.left if instance.profile})
    # Where the attachment is still there, others may have bound what it never had.
    left = "not in the spec" if world.desired(address) else "no longer in the spec"
    reason = "will be detached" if world.destroying else left
    yield Change(
        address,
        Action.DELETE if ids else Action.UPDATE,
        reason,
        fields=(FieldChange("instance_profile", ", ".join(profiles), None),) if ids else (),
        instances=ids,
        size=max(len(ids), 1),
        steps=(*(release(observed.left, observed.associations, by_ids(ids)) if ids else ()), *unmark),
        names=names_of(observed.left),
    )


def _only(associations: Mapping[str, str], ids: Sequence[str]) -> dict[str, str]:
    return {name: associations[name] for name in ids if name in associations}
