"""Attachments: a profile on instances that are not ours. Attached and detached, never owned or terminated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from provisioner.kinds import service_rules
from provisioner.kinds.attachment.compare import attach, detach, notes, refusals
from provisioner.kinds.attachment.observed import (
    Attachment,
    ObservedAttachment,
    bound_to_what_is_gone,
    find_chosen,
    find_left_over,
    held_profiles,
    wrongly_bound,
)
from provisioner.kinds.base import Entry, Kind, Path, Reader, World
from provisioner.kinds.instance_profile.binding import bound_wrong, find_associations, wanted_at
from provisioner.model import Address, Environment, Findings
from provisioner.retry import merged
from provisioner.rights import Place, Purpose, Statement


class AttachmentKind(Kind[Attachment, ObservedAttachment]):
    name = "attachment"
    section = "attachments"
    is_of_iam = False
    call_rules = merged((service_rules.IAM, service_rules.INSTANCES))

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
        chosen = reader.parallel(
            *(partial(find_chosen, reader, attachment) for attachment in wanted.values())
        )
        return {
            at: ObservedAttachment(chosen=instances, uses=attachment.uses)
            for (at, attachment), instances in zip(wanted.items(), chosen, strict=True)
        }

    def observe_details(self, reader: Reader, world: World) -> Mapping[Address, ObservedAttachment]:
        observed = dict(world.observed_of(ObservedAttachment))
        for address, left in (*find_left_over(reader, world), *bound_to_what_is_gone(world)):
            there = observed.get(address, ObservedAttachment())
            uses = there.uses | left.uses
            observed[address] = replace(left, chosen=there.chosen, left=there.left + left.left, uses=uses)
        if world.looking:
            return observed
        # A profile goes only when all to which an attachment gives another one have let go of it.
        observed = {
            at: replace(there, uses=there.uses | held_profiles(there, world))
            for at, there in observed.items()
        }
        desired = world.desired_of(Attachment)
        changing = [
            instance.id
            for at, there in observed.items()
            for instance in (*wrongly_bound(at, desired.get(at), there, world), *there.left)
            if instance.profile
        ]
        associations = find_associations(reader, changing)
        return {at: replace(there, associations=associations) for at, there in observed.items()}

    def compare(
        self,
        address: Address,
        desired: Attachment | None,
        observed: ObservedAttachment | None,
        world: World,
    ) -> Findings:
        observed = observed or ObservedAttachment()
        gone = tuple(detach(address, observed, world))
        if desired is None:
            return Findings(gone)
        return Findings(
            (*attach(address, desired, observed, world), *gone),
            tuple(refusals(address, desired, observed, world)),
            tuple(notes(address, desired, observed, world)),
        )

    def permissions(self, environment: Environment, place: Place, purpose: Purpose) -> Iterable[Statement]:
        from provisioner.kinds.attachment.permissions import attachment_permissions

        return attachment_permissions(tuple(environment.of(Attachment).values()), place, purpose)

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
        profile = wanted_at(desired.profile, world) if desired else None
        attached = len(observed.chosen) - len(bound_wrong(profile, observed.chosen))
        return {
            "state": f"{attached} of {wanted} attached",
            "members": [instance.summary() for instance in (*observed.chosen, *observed.left)],
        }
