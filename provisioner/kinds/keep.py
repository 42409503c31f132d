"""`keep: true`: a tag on what must not go, which holds for as long as it is there, whatever the spec says.

Also when the entry, its line `keep` or the whole spec is gone, and in each round of a run: only a plan that
takes the tag off, and does nothing else to the thing, ends it. Whoever may write tags can keep what nobody
wanted kept; that stops something, and never harms it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from provisioner.kinds.base import World
from provisioner.model import Address, FieldChange, Note, Refusal
from provisioner.naming import KEEP_TAG


def is_kept(tags: Mapping[str, str] | None) -> bool:
    """Whether a thing with these tags is kept, whatever the tag says."""
    return KEEP_TAG in (tags or {})


def keep_tags(keep: bool | None) -> dict[str, str]:
    """The tags of what a spec says this of."""
    return {KEEP_TAG: "yes"} if keep else {}


def made_keep(keep: bool | None) -> tuple[FieldChange, ...]:
    """What a spec says of this, as a field of something new; nothing where it says nothing."""
    return () if keep is None else (FieldChange("keep", None, keep),)


def with_keep(ignored: Sequence[str], keep: bool | None) -> tuple[str, ...]:
    """What is ignored of the tags of a thing: also that it is kept, where the spec says nothing of it."""
    return (*ignored, KEEP_TAG) if keep is None else tuple(ignored)


def kept_unsaid(address: Address, keep: bool | None, *things: Mapping[str, str] | None) -> tuple[Note, ...]:
    """What to know where things with these tags are kept, and the spec says nothing of it any more."""
    if keep is not None or not any(map(is_kept, things)):
        return ()
    message = (
        f"kept by the tag {KEEP_TAG}, of which the spec says nothing: write `keep: true` to have it seen, "
        "or `keep: false` to end it"
    )
    return (Note(address, message),)


def refuse_kept(address: Address, message: str, world: World) -> Refusal:
    """The answer to what would take away something that is kept; `message` says what of it."""
    in_spec = address in world.environment.resources
    first = "set" if in_spec else "put it back into the spec with"
    return Refusal(
        address,
        f"{message} by the tag {KEEP_TAG} (`keep: true`)",
        f"{first} `keep: false` and apply that first, with nothing else changed on it",
    )
