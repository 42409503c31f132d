"""Attachments: a profile on instances that are not ours. Attached and detached, never owned or terminated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from provisioner.kinds.base import Entry, Kind, Path, Reader, World
from provisioner.kinds.iam import tags_in_words
from provisioner.kinds.instance_profile.binding import WantedProfile, bound_wrong, wanted_at
from provisioner.kinds.instance_profile.observed import ObservedProfile
from provisioner.kinds.instances import (
    LIVE,
    Instance,
    bind,
    by_ids,
    find_associations,
    find_bound,
    find_instances,
    group_by,
    named,
    names_of,
    release,
)
from provisioner.kinds.launch_token import launches_of
from provisioner.model import (
    Action,
    Address,
    Call,
    Change,
    Environment,
    FieldChange,
    Findings,
    Note,
    Refusal,
    Step,
)
from provisioner.naming import ATTACHED_TAG, ENVIRONMENT_TAG, FLEET_TAG, iam_path, owner_of_path
from provisioner.retry import CallRules

# How many ids a refusal names.
MAX_TOLD = 5


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


class AttachmentKind(Kind[Attachment, ObservedAttachment]):
    name = "attachment"
    section = "attachments"
    is_of_iam = False
    call_rules = CallRules()
    explanations: Mapping[str, tuple[str, str]] = {}

    def parse(self, key: str, raw: Mapping[str, Any], entry: Entry) -> Attachment:
        profile = raw["instance_profile"]
        entry.check_reference(("instance_profile",), "instance_profiles", profile)
        return Attachment(
            profile=Address("instance_profile", profile),
            instances=tuple(raw.get("instances", ())),
            tags=raw.get("select", {}).get("tags", {}),
        )

    def check(self, entries: Mapping[Address, Attachment]) -> Iterable[tuple[Address, Path, str]]:
        taken: dict[str, Address] = {}
        for address, attachment in entries.items():
            for index, instance in enumerate(attachment.instances):
                other = taken.setdefault(instance, address)
                if other != address:
                    yield address, ("instances", index), f"{instance} is in {other} already"

    def observe(
        self, reader: Reader, environment: Environment, launching: bool
    ) -> Mapping[Address, ObservedAttachment]:
        wanted = environment.of(Attachment)
        chosen = reader.parallel(*(lambda each=each: _chosen(reader, each) for each in wanted.values()))
        return {
            at: ObservedAttachment(chosen=instances, uses=each.uses)
            for (at, each), instances in zip(wanted.items(), chosen, strict=True)
        }

    def observe_details(self, reader: Reader, world: World) -> Mapping[Address, ObservedAttachment]:
        observed = world.observed_of(ObservedAttachment)
        for address, left in (*_left_over(reader, world), *_bound_to_what_is_gone(world)):
            there = observed.get(address, ObservedAttachment())
            uses = there.uses | left.uses
            observed[address] = replace(left, chosen=there.chosen, left=there.left + left.left, uses=uses)
        if world.looking:
            return observed
        # A profile goes only when all to which an attachment gives another one have let go of it.
        observed = {
            at: replace(thing, uses=thing.uses | _held(thing, world)) for at, thing in observed.items()
        }
        changing = [
            each.id
            for at, thing in observed.items()
            for each in (*_bound_wrong(at, world.desired_as(Attachment, at), thing, world), *thing.left)
            if each.profile
        ]
        associations = find_associations(reader, changing)
        return {at: replace(thing, associations=associations) for at, thing in observed.items()}

    def compare(
        self,
        address: Address,
        desired: Attachment | None,
        observed: ObservedAttachment | None,
        world: World,
    ) -> Findings:
        observed = observed or ObservedAttachment()
        gone = tuple(_detach(address, observed, world))
        if desired is None:
            return Findings(gone)
        return Findings(
            (*_attach(address, desired, observed, world), *gone),
            tuple(_refusals(address, desired, observed, world)),
            tuple(_notes(address, desired, observed, world)),
        )

    def describe(
        self, desired: Attachment, observed: ObservedAttachment | None, world: World
    ) -> Mapping[str, Any]:
        return {
            "instance_profile": desired.profile.key,
            "instances": desired.instances,
            "select": {"tags": desired.tags} if desired.tags else None,
        }

    def status(
        self,
        address: Address,
        desired: Attachment | None,
        observed: ObservedAttachment | None,
        world: World,
    ) -> Mapping[str, Any]:
        observed = observed or ObservedAttachment()
        wanted = max(len(observed.chosen), len(desired.instances) if desired else 0)
        attached = len(observed.chosen) - len(_bound_wrong(address, desired, observed, world))
        return {
            "state": f"{attached} of {wanted} attached",
            "members": [each.summary() for each in (*observed.chosen, *observed.left)],
        }


def _held(observed: ObservedAttachment, world: World) -> frozenset[Address]:
    """The profiles of the environment that the chosen instances have now."""
    held = {each.profile.arn for each in observed.chosen if each.profile}
    return frozenset(at for at, found in world.observed_of(ObservedProfile).items() if found.arn in held)


def _chosen(reader: Reader, attachment: Attachment) -> tuple[Instance, ...]:
    by_tags = tuple((f"tag:{key}", (value,)) for key, value in sorted(attachment.tags.items()))
    scopes = [by_tags] if by_tags else list(by_ids(attachment.instances))
    live = ("instance-state-name", LIVE)
    found = reader.parallel(*(lambda scope=scope: find_instances(reader, (*scope, live)) for scope in scopes))
    return tuple(instance for instances in found for instance in instances)


def _left_over(reader: Reader, world: World) -> Iterator[tuple[Address, ObservedAttachment]]:
    """Instances that are bound to a profile of ours for attachments, and that no attachment asks for."""
    launches = launches_of(world)
    desired, observed = world.desired_of(Attachment), world.observed_of(ObservedAttachment)
    profiles = _profiles_for_attachments(desired.values(), world)
    if not profiles:
        return
    arns = tuple(profile.arn for profile in profiles.values())
    bound = find_bound(reader, arns)
    # What goes from one of our profiles to another is bound anew, and that is all.
    wanted = {each.id for address in desired.keys() & observed.keys() for each in observed[address].chosen}
    for at, profile in profiles.items():
        asking = [address for address, thing in desired.items() if thing.profile == at]
        left = tuple(
            each
            for each in bound
            if each.profile
            and each.profile.arn == profile.arn
            and each.id not in wanted
            and not (launches.fleet_of(each) and each.tag(ENVIRONMENT_TAG) == world.environment.name)
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
        each.profile: own.get(each.profile) or wanted_at(each.profile, world)
        for each in desired
        if each.profile in own or not world.observed(each.profile)
    }
    return {**marked, **to_be_marked}


def _bound_to_what_is_gone(world: World) -> Iterator[tuple[Address, ObservedAttachment]]:
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
            each
            for each in observed.chosen
            if each.profile
            and path in each.profile.arn
            and each.profile.arn not in there
            and each.id not in freed
        )
        freed.update(each.id for each in left)
        if left:
            yield address, ObservedAttachment(left=left)


def _free_address(key: str, world: World) -> Address:
    """Where to show what left the spec: the profile's key, or the first attachment there was for it."""
    address = Address("attachment", key)
    while world.desired(address):
        address = Address("attachment", f"{address.key}-left")
    return address


def _bound_wrong(
    address: Address, attachment: Attachment | None, observed: ObservedAttachment, world: World
) -> list[Instance]:
    """The chosen instances with another binding, but for those that an earlier attachment chooses too."""
    if attachment is None:
        return []
    earlier = {
        each.id
        for other, thing in world.observed_of(ObservedAttachment).items()
        if other < address and world.desired(other)
        for each in thing.chosen
    }
    foreign = {each.id for each in _foreign(observed, world)}
    mine = [each for each in observed.chosen if each.id not in earlier | foreign]
    return bound_wrong(wanted_at(attachment.profile, world), mine)


def _foreign(observed: ObservedAttachment, world: World) -> list[Instance]:
    """The chosen instances that have the environment's tags and were not launched by it.

    Whoever may write tags could stop everything else with them, so they are told and left as they are.
    """
    launches = launches_of(world)
    return [
        each
        for each in observed.chosen
        if _owner(each) == world.environment.name and launches.fleet_of(each) is None
    ]


def _notes(
    address: Address, attachment: Attachment, observed: ObservedAttachment, world: World
) -> Iterator[Note]:
    if attachment.tags and not observed.chosen:
        yield Note(address, f"no instance has the tags {tags_in_words(attachment.tags)}")
    foreign = _foreign(observed, world)
    if foreign:
        message = (
            f"{_some(foreign)} with the tags of this environment, which has not launched it: left as it is. "
            f"Take the tags {ENVIRONMENT_TAG} and {FLEET_TAG} off, or choose others here"
        )
        yield Note(address, message, is_warning=True)


def _refusals(
    address: Address, attachment: Attachment, observed: ObservedAttachment, world: World
) -> Iterator[Refusal]:
    found = {each.id for each in observed.chosen}
    missing = [instance for instance in attachment.instances if instance not in found]
    if missing:
        yield Refusal(
            address,
            f"ec2 DescribeInstances: there is no live instance {', '.join(missing)} "
            f"in {world.environment.region}",
            "correct `instances:`; the list is exact, so that a typo is not taken for a wish",
            exit_code=1,
        )
    launches = launches_of(world)
    for instances in group_by(
        observed.chosen, lambda each: (_owner(each), launches.fleet_of(each) is not None)
    ):
        owner, is_launched = _owner(instances[0]), launches.fleet_of(instances[0]) is not None
        belong = f"{_some(instances)} {'belongs' if len(instances) == 1 else 'belong'} to"
        if owner == world.environment.name and is_launched:
            hint = "give the fleet the `instance_profile:`, and choose others here"
            yield Refusal(address, f"{belong} a fleet of this environment", hint)
        elif owner and owner != world.environment.name:
            hint = "its own spec says which profile an instance has; choose others here"
            yield Refusal(address, f"{belong} the environment {owner}", hint)
    for instances in group_by(observed.chosen, _attached_by):
        attached_by = _attached_by(instances[0])
        if attached_by and not _owner(instances[0]) and attached_by != world.environment.name:
            yield Refusal(
                address,
                f"{_some(instances)} with an instance profile that environment {attached_by} has attached",
                "take them out of its attachments and apply that first, or choose others here",
            )
    for other, thing in world.environment.of(Attachment).items():
        there = world.observed_as(ObservedAttachment, other)
        if there and other > address and thing.profile != attachment.profile:
            both = found & {each.id for each in there.chosen}
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
    told = ", ".join(named(each) for each in instances[:MAX_TOLD])
    more = len(instances) - MAX_TOLD
    return f"{told} and {more} more" if more > 0 else told


def _attach(
    address: Address, attachment: Attachment, observed: ObservedAttachment, world: World
) -> Iterator[Change]:
    wanted = wanted_at(attachment.profile, world)
    for instances in group_by(_bound_wrong(address, attachment, observed, world), lambda each: each.profile):
        before = instances[0].profile
        ids = tuple(each.id for each in instances)
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
            fields=(FieldChange("instance_profile", before.name if before else None, wanted.name),),
            instances=ids,
            size=len(ids),
            steps=bind(instances, wanted.name, wanted.arn, _only(observed.associations, ids), by_ids(ids)),
            exact=True,
            names=names_of(instances),
        )


def _detach(address: Address, observed: ObservedAttachment, world: World) -> Iterator[Change]:
    if not observed.left and not observed.marked:
        return
    ids = tuple(each.id for each in observed.left)
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
    profiles = sorted({each.profile.name for each in observed.left if each.profile})
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
    return {each: associations[each] for each in ids if each in associations}
