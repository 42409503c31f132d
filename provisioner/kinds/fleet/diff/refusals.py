"""Why nothing of a fleet's plan may be carried out, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

from provisioner.kinds.base import World
from provisioner.kinds.fleet.observed import ObservedFleet, Problem
from provisioner.kinds.fleet.placement import Leaving
from provisioner.kinds.fleet.settings.launch_tag import (
    is_protected,
    protections,
    stays_protected,
    stays_unstoppable,
)
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.instances import Instance
from provisioner.kinds.keep import is_kept, refuse_kept
from provisioner.model import Address, Refusal

# What images of Windows are billed as, with SQL Server and by an own licence too.
WINDOWS = frozenset(f"RunInstances:{code}" for code in ("0002", "0006", "0102", "0202", "0800"))


def refuse_leaving(
    address: Address, fleet: Fleet, observed: ObservedFleet, leaving: Leaving, world: World
) -> Refusal | None:
    """Why members may not leave that have to."""
    members = observed.members
    kept = [member for member in members if is_kept(member.tags)]
    if not leaving.is_enough and kept:
        what = f"{leaving.surplus} of {len(members)} members would have to go"
        return refuse_kept_members(address, what, kept, observed, world)
    if not leaving.is_enough:
        return refuse_protected(address, members, leaving.surplus, fleet)
    ids = {member.id for member in leaving.members} if leaving.is_rollout else set()
    kept = [member for member in kept if member.id in ids]
    if kept:
        what = f"{len(ids)} of {len(members)} members would be replaced"
        return refuse_kept_members(address, what, kept, observed, world)
    blocked = [member for member in members if member.id in ids and stays_protected(member, fleet)]
    return _refuse_replacing(address, blocked, fleet) if blocked else None


def refuse_kept_members(
    address: Address, what: str, kept: Sequence[Instance], observed: ObservedFleet, world: World
) -> Refusal:
    """`what` would become of members, some of which are kept by their tag."""
    whole = len(kept) == len(observed.members)
    who = "all of them are" if whole else _are([member.id for member in kept])
    return refuse_kept(address, f"{what}, and {who} kept", world)


def refuse_protected(
    address: Address, members: Sequence[Instance], surplus: int, fleet: Fleet | None = None
) -> Refusal:
    """So many members would have to go, and too few may. `fleet`: as the spec has it, if it does."""
    protected = [
        member.id for member in members if (stays_protected(member, fleet) if fleet else is_protected(member))
    ]
    named = [
        member.id for member in members if fleet and member.id in fleet.protect and member.id not in protected
    ]
    whys = (
        *([f"{_are(protected)} under {_protection(members, fleet)}"] if protected else ()),
        *([f"{_are(named)} in `protect`"] if named else ()),
    )
    return Refusal(
        address,
        f"{surplus} of {len(members)} members would have to go, and {'; '.join(whys)}",
        how_to_free(members, fleet) if protected else "take them out of `protect`, or raise `count`",
    )


def _refuse_replacing(address: Address, members: Sequence[Instance], fleet: Fleet) -> Refusal:
    """Members would be replaced, and are protected."""
    return Refusal(
        address,
        f"{_are([member.id for member in members])} to be replaced, and under {_protection(members, fleet)}",
        f"{how_to_free(members, fleet)}, or name them in `protect` to keep them",
    )


def refuse_stopping(address: Address, fleet: Fleet, stopped: Sequence[Instance]) -> Refusal | None:
    """Why members may not be stopped that have to."""
    protected = [member.id for member in stopped if stays_unstoppable(member, fleet)]
    if not protected:
        return None
    return Refusal(
        address,
        f"{_are(protected)} to be stopped, and under stop protection",
        "set `stop_protection: false`, or take back what they are to be stopped for",
    )


def refuse_windows(address: Address, fleet: Fleet, observed: ObservedFleet) -> Refusal | None:
    """Why nothing may be launched that could not end itself: its image has no cloud-init.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/billing-info-fields.html
    """
    if not fleet.expires or observed.prerequisites.operation not in WINDOWS:
        return None
    return Refusal(
        address,
        f"the image {observed.prerequisites.image} is Windows, where the boot hook of `expires` does not run",
        "take `expires` out, or choose an image with cloud-init",
        exit_code=1,
    )


def _protection(members: Sequence[Instance], fleet: Fleet | None) -> str:
    """What members are protected by, in words: `termination protection`."""
    return " and ".join(path.replace("_", " ") for path in protections(members, fleet))


def how_to_free(members: Sequence[Instance], fleet: Fleet | None) -> str:
    """What to do so that members may go."""
    paths = protections(members, fleet)
    if not paths:
        return "apply the spec first, which switches that off"
    ignored = [f"`{path}`" for path in paths if fleet and fleet.ignores(path)]
    compared = f"take {' and '.join(ignored)} out of `ignore_changes`, " if ignored else ""
    return f"{compared}set {' and '.join(f'`{path}: false`' for path in paths)} and apply that first"


def _are(ids: Sequence[str]) -> str:
    return f"{', '.join(ids)} {'is' if len(ids) == 1 else 'are'}"


def refuse_problem(address: Address, problem: Problem) -> Refusal:
    """What the spec names does not fit what the account has."""
    return Refusal(address, problem.message, problem.hint, exit_code=1)
