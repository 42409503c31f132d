"""What to know of the end of a fleet before its plan is approved."""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.kinds.base import World
from provisioner.kinds.expiry import end_in
from provisioner.kinds.fleet.diff.extending import WITHOUT_ANYTHING
from provisioner.kinds.fleet.ending import can_be_moved
from provisioner.kinds.fleet.observed import ObservedFleet
from provisioner.kinds.fleet.placement import on_members
from provisioner.kinds.fleet.settings.launch_tag import has_part
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.fleet.user_data.parts import EXPIRES
from provisioner.kinds.keep import is_kept
from provisioner.model import Address, Note, NoteKind
from provisioner.naming import EXPIRES_TAG, KEEP_TAG


def ending_notes(address: Address, fleet: Fleet, observed: ObservedFleet, world: World) -> Iterator[Note]:
    """When it is, what it means where that is past, and where it cannot come about by itself."""
    if fleet.end is None:
        return
    told = fleet.end.words_at(world.now)
    if not fleet.is_over:
        yield Note(address, f"expires {told}")
        yield from _forgotten(address, fleet)
        yield from _stopped(address, fleet, observed)
        yield from _without_hook(address, observed)
        return
    said = fleet.expires
    extended = f"`provisioner extend {world.environment.argument} 2h`"
    later = extended if said and said.after else "set a later `expires`"
    if said and said.after and not can_be_moved(fleet, observed, world):
        later = WITHOUT_ANYTHING
    yield Note(
        address,
        f"expired at {told}: nothing is launched, replaced or started any more; {later}, or take "
        "`expires` out",
        is_warning=True,
        kind=NoteKind.EXPIRED,
    )
    ending = [member for member in observed.members if not is_kept(member.tags)]
    live = [member for member in ending if end_in(member.tags) == fleet.end.at]
    coming = [member for member in ending if end_in(member.tags) != fleet.end.at]
    kept = len(observed.members) - len(ending)
    if kept:
        yield Note(address, f"{on_members(range(kept))} kept by the tag {KEEP_TAG}: they do not end")
    if coming:
        yield Note(
            address,
            f"{on_members(coming)} will get the tag {EXPIRES_TAG} with a time that is past: what can shut "
            "itself down does so, and is terminated, within a minute of this apply",
            is_warning=True,
            kind=NoteKind.ENDING,
            instances=tuple(
                member.id for member in coming if has_part(member, EXPIRES) and member.state == "running"
            ),
        )
        yield from _without_hook(address, observed)
    if live:
        yield Note(
            address,
            f"{on_members(live)} still there after the end; `provisioner reap --region "
            f"{world.environment.region}` terminates what did not shut itself down",
        )


def _forgotten(address: Address, fleet: Fleet) -> Iterator[Note]:
    if fleet.expires and fleet.expires.after and not fleet.is_outlived:
        yield Note(
            address,
            "nothing of this environment outlives its members and remembers that they have ended: EC2 "
            "forgets them about an hour later, and the next apply launches them anew. Give `expires` as a "
            "time, or the environment a role, a profile or a key pair",
            is_warning=True,
        )


def _without_hook(address: Address, observed: ObservedFleet) -> Iterator[Note]:
    """Members that know their end and cannot bring it about."""
    without = [member for member in observed.members if not has_part(member, EXPIRES)]
    if without:
        yield Note(
            address,
            f"{on_members(without)} launched before `expires` was said, so without the boot hook that shuts "
            "them down: at the end `provisioner reap` terminates them",
        )


def _stopped(address: Address, fleet: Fleet, observed: ObservedFleet) -> Iterator[Note]:
    if fleet.power == "stopped" and observed.members:
        yield Note(
            address,
            "stopped members do not shut themselves down at the end, and their volumes go on costing money: "
            "`provisioner reap` terminates them",
        )
