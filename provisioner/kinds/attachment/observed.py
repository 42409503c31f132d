"""What a spec asks for by an attachment, and which instances that concerns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from functools import partial

from provisioner.kinds.base import Reader, World
from provisioner.kinds.instance_profile.binding import WantedProfile, bound_wrong, wanted_at
from provisioner.kinds.instance_profile.observed import ObservedProfile
from provisioner.kinds.instances import LIVE, Instance, by_ids, find_bound, find_instances
from provisioner.kinds.launch_token import launches_of
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Address
from provisioner.naming import ATTACHED_TAG, ENVIRONMENT_TAG, iam_path


@dataclass(frozen=True)
class Attachment:
    """A profile's address and the instances it goes to: by id, or all that have some tags."""

    profile: Address
    instances: tuple[str, ...]
    tags: Mapping[str, str]

    @property
    def uses(self) -> frozenset[Address]:
        return frozenset({self.profile})


@dataclass(frozen=True)
class ObservedAttachment:
    """The instances chosen, and `left`: those still bound to a profile of ours that nothing asks for now.

    `marked` is the name of a profile whose mark of an attachment is to go with them.
    """

    chosen: tuple[Instance, ...] = ()
    left: tuple[Instance, ...] = ()
    marked: str | None = None
    uses: frozenset[Address] = frozenset()
    associations: Mapping[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> None:
        """An attachment is what instances have, and nothing by itself."""


def held_profiles(observed: ObservedAttachment, world: World) -> frozenset[Address]:
    """The profiles of the environment that the chosen instances have now."""
    held = {instance.profile.arn for instance in observed.chosen if instance.profile}
    return frozenset(at for at, found in world.observed_of(ObservedProfile).items() if found.arn in held)


def find_chosen(reader: Reader, attachment: Attachment) -> tuple[Instance, ...]:
    """The live instances that an attachment asks for. Raises AwsError."""
    by_tags = tuple((f"tag:{key}", (value,)) for key, value in sorted(attachment.tags.items()))
    scopes = [by_tags] if by_tags else list(by_ids(attachment.instances))
    live = ("instance-state-name", LIVE)
    found = reader.parallel(*(partial(find_instances, reader, (*scope, live)) for scope in scopes))
    return tuple(instance for instances in found for instance in instances)


def find_left_over(reader: Reader, world: World) -> Iterator[tuple[Address, ObservedAttachment]]:
    """Instances that are bound to a profile of ours for attachments, and that no attachment asks for."""
    launches = launches_of(world)
    desired, observed = world.desired_of(Attachment), world.observed_of(ObservedAttachment)
    profiles = _profiles_for_attachments(desired.values(), world)
    if not profiles:
        return
    arns = tuple(profile.arn for profile in profiles.values())
    bound = find_bound(reader, arns)
    # What goes from one of our profiles to another is bound anew, and that is all.
    wanted = {
        instance.id for address in desired.keys() & observed.keys() for instance in observed[address].chosen
    }
    for at, profile in profiles.items():
        asking = [address for address, thing in desired.items() if thing.profile == at]
        left = tuple(
            instance
            for instance in bound
            if instance.profile
            and instance.profile.arn == profile.arn
            and instance.id not in wanted
            and not (launches.fleet_of(instance) and instance.tag(ENVIRONMENT_TAG) == world.environment.name)
        )
        unmark = None if asking or world.destroying else profile.name
        if left or unmark:
            written = world.environment.of(Attachment)
            once = [address for address, thing in written.items() if world.destroying and thing.profile == at]
            address = min([*asking, *once], default=_free_address(at.key, world))
            yield address, ObservedAttachment(left=left, marked=unmark, uses=frozenset({at}))


def _profiles_for_attachments(
    desired: Iterable[Attachment], world: World
) -> dict[Address, ObservedProfile | WantedProfile]:
    """Our profiles that carry the mark of an attachment, and those that applying the spec will mark.

    The latter are looked at now, so that what they are taken off is in the plan that is approved. One that
    is still to be made can be on instances too, which were bound to an earlier one of its name.
    """
    own: dict[Address, ObservedProfile] = {
        at: profile
        for at, profile in world.observed_of(ObservedProfile).items()
        if profile.is_owned_by(world.environment)
    }
    marked = {at: profile for at, profile in own.items() if ATTACHED_TAG in profile.tags}
    to_be_marked = {
        attachment.profile: own.get(attachment.profile) or wanted_at(attachment.profile, world)
        for attachment in desired
        if attachment.profile in own or not world.observed(attachment.profile)
    }
    return {**marked, **to_be_marked}


def bound_to_what_is_gone(world: World) -> Iterator[tuple[Address, ObservedAttachment]]:
    """What the spec attaches to and is still bound to a profile of ours that was deleted meanwhile.

    Whoever destroys while another applies can delete a profile that is being attached at that moment. An
    apply binds it anew; when all is to go, nothing else would find it.
    """
    if not world.destroying:
        return
    path = f":instance-profile{iam_path(world.environment.name)}"
    there = {thing.arn for thing in world.observed_of(ObservedProfile).values()}
    # What two attachments choose is freed once.
    freed: set[str] = set()
    for address, observed in world.observed_of(ObservedAttachment).items():
        left = tuple(
            instance
            for instance in observed.chosen
            if instance.profile
            and path in instance.profile.arn
            and instance.profile.arn not in there
            and instance.id not in freed
        )
        freed.update(instance.id for instance in left)
        if left:
            yield address, ObservedAttachment(left=left)


def _free_address(key: str, world: World) -> Address:
    """Where to show what left the spec: the profile's key, or the first attachment there was for it."""
    address = Address("attachment", key)
    while world.desired(address):
        address = Address("attachment", f"{address.key}-left")
    return address


def wrongly_bound(
    address: Address, attachment: Attachment | None, observed: ObservedAttachment, world: World
) -> list[Instance]:
    """The chosen instances with another binding, but for those that an earlier attachment chooses too."""
    if attachment is None:
        return []
    earlier = {
        instance.id
        for other, thing in world.observed_of(ObservedAttachment).items()
        if other < address and world.desired(other)
        for instance in thing.chosen
    }
    others = earlier | {instance.id for instance in foreign(observed, world)}
    mine = [instance for instance in observed.chosen if instance.id not in others]
    return bound_wrong(wanted_at(attachment.profile, world), mine)


def foreign(observed: ObservedAttachment, world: World) -> list[Instance]:
    """The chosen instances that have the environment's tags and were not launched by it.

    Whoever may write tags could stop everything else with them, so they are told and left as they are.
    """
    launches = launches_of(world)
    return [
        instance
        for instance in observed.chosen
        if instance.tag(ENVIRONMENT_TAG) == world.environment.name and launches.fleet_of(instance) is None
    ]
