"""What to do so that a key pair is as the spec says."""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.kinds.base import World
from provisioner.kinds.keep import is_kept, kept_unsaid, made_keep, refuse_kept, with_keep
from provisioner.kinds.key_pair.observed import ObservedKeyPair
from provisioner.kinds.key_pair.public_key import PublicKey
from provisioner.kinds.key_pair.spec import KIND, KeyPair
from provisioner.kinds.key_pair.steps import (
    IMPORT,
    AwaitKeyPair,
    AwaitNoKeyPair,
    DeleteKeyPair,
    ImportKeyPair,
)
from provisioner.kinds.ownership import Foreign, foreign_notes, way_back, whose
from provisioner.kinds.shown import wanted_tags
from provisioner.kinds.tags import is_crowded, made_tags, tag_changes, tag_list, too_many_tags
from provisioner.model import (
    Action,
    Address,
    Call,
    Change,
    FieldChange,
    Findings,
    Note,
    NoteKind,
    Refusal,
    Step,
    Whole,
)
from provisioner.naming import default_name

AT_FIRST_BOOT = (
    "EC2 puts a key on an instance at its first boot only, so members keep the one they were launched with "
    "until they are replaced"
)


def compare_key_pair(
    address: Address, key_pair: KeyPair | None, found: ObservedKeyPair | None, world: World
) -> Findings:
    """The changes of one key pair."""
    if found and found.unread:
        return Findings(notes=(Note(address, found.unread, kind=NoteKind.NOT_COMPARED),))
    if found and found.foreign:
        here = world.environment
        foreign = [Foreign(each.id, each.name) for each in found.foreign]
        return Findings(notes=tuple(foreign_notes(KIND, foreign, here.name, here.region)))
    if key_pair is None:
        is_ours = found and found.is_of(world.environment.name)
        return _leaving(address, found, world) if found and is_ours else Findings()
    if found is None:
        return Findings(changes=(_create(address, key_pair, world),))
    if not found.is_of(world.environment.name):
        return Findings(refusals=(_refuse_foreign(address, found, world),))
    return _compare(address, key_pair, found, world)


def told(public_key: PublicKey) -> str:
    """A public key as people compare it: its type, and the fingerprint that `ssh-keygen -l` shows."""
    return f"{public_key.type} {public_key.fingerprint}"


def _refuse_foreign(address: Address, found: ObservedKeyPair, world: World) -> Refusal:
    """The answer to a name that exists and is not ours; the same key does not make it ours."""
    here = world.environment
    back = way_back(address, found.id, found.tags, here.name, here.region)
    return Refusal(
        address,
        f"ec2 {IMPORT}: key pair {found.name} exists already, and {whose(KIND, found.tags, here.name)}",
        f"{back}choose another name with `name:`; or to use it as it is, take the entry out and write "
        f"`key_name: {found.name}` in the fleet",
        exit_code=1,
    )


def _import(key_pair: KeyPair, instead_of: str | None = None) -> ImportKeyPair:
    return ImportKeyPair(key_pair.name, str(key_pair.public_key), key_pair.tags, instead_of)


def _create(address: Address, key_pair: KeyPair, world: World) -> Change:
    is_default = key_pair.name == default_name(world.environment.name, address.key)
    fields = (
        FieldChange("public_key", None, told(key_pair.public_key)),
        *made_keep(key_pair.keep),
        FieldChange("name", None, key_pair.name, is_default=is_default),
        *made_tags(key_pair.tags),
    )
    steps = (_import(key_pair), AwaitKeyPair(key_pair.name))
    return Change(address, Action.CREATE, "will be imported", fields=fields, steps=steps)


def _compare(address: Address, key_pair: KeyPair, found: ObservedKeyPair, world: World) -> Findings:
    ignored = with_keep(world.environment.ignore_tags, key_pair.keep)
    refusals = tuple(too_many_tags(address, key_pair.tags, found.tags, ignored))
    tags = tag_changes(key_pair.tags, found.tags, ignored)
    notes = list(kept_unsaid(address, key_pair.keep, found.tags))
    if found.public_key is None:
        text = f"EC2 does not show the public key of {found.name}, so it is not compared"
        notes.append(Note(address, text, kind=NoteKind.NOT_COMPARED))
    changes: Iterator[Change] = iter(())
    if found.public_key not in (None, key_pair.public_key):
        if is_kept(found.tags):
            message = f"key pair {found.name} would be deleted and imported anew, and is kept"
            refusals = (*refusals, refuse_kept(address, message, world))
        changes = _replace(address, key_pair, found, world, tags)
    elif tags:
        changes = _retag(address, key_pair, found, tags)
    return Findings(() if refusals else tuple(changes), refusals, tuple(notes))


def _replace(
    address: Address, key_pair: KeyPair, found: ObservedKeyPair, world: World, tags: tuple[FieldChange, ...]
) -> Iterator[Change]:
    """Another key under the same name, which EC2 has no call for."""
    before = told(found.public_key) if found.public_key else None
    steps = (
        DeleteKeyPair(found.name, found.id, world.environment.name),
        _import(key_pair, instead_of=found.id),
    )
    yield Change(
        address,
        Action.REPLACE,
        f"another public key: deleted and imported anew; {AT_FIRST_BOOT}",
        fields=(FieldChange("public_key", before, told(key_pair.public_key)), *tags),
        # An interruption ends the waiting, and nothing before it.
        steps=(Whole(steps), AwaitKeyPair(found.name, other_than=found.id)),
        unique_id=found.id,
    )


def _retag(
    address: Address, key_pair: KeyPair, found: ObservedKeyPair, tags: tuple[FieldChange, ...]
) -> Iterator[Change]:
    changed = {field.path.removeprefix("tags."): field.after for field in tags}
    put = {key: value for key, value in changed.items() if value is not None}
    removed = [{"Key": key} for key in sorted(changed.keys() - put.keys())]
    steps: list[Step] = []
    if put:
        steps.append(Call("ec2", "CreateTags", {"Resources": [found.id], "Tags": tag_list(put)}))
    if removed:
        steps.append(Call("ec2", "DeleteTags", {"Resources": [found.id], "Tags": removed}))
    if is_crowded(key_pair.tags, found.tags):
        steps.reverse()
    steps.append(AwaitKeyPair(found.name, wanted_tags(tags)))
    yield Change(address, Action.UPDATE, "tags differ", fields=tags, steps=tuple(steps))


def _leaving(address: Address, found: ObservedKeyPair, world: World) -> Findings:
    if is_kept(found.tags):
        message = f"key pair {found.name} would be deleted, and is kept"
        return Findings(refusals=(refuse_kept(address, message, world),))
    change = Change(
        address,
        Action.DELETE,
        "will be destroyed" if world.destroying else "no longer in the spec",
        fields=(FieldChange("name", found.name, None),),
        steps=(
            DeleteKeyPair(found.name, found.id, world.environment.name),
            AwaitNoKeyPair(found.name, found.id),
        ),
        unique_id=found.id,
    )
    return Findings(changes=(change,))
