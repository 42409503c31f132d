"""What is worth knowing of a fleet and no change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from provisioner.denial import in_short
from provisioner.kinds.fleet.observed import ObservedFleet, asked_for
from provisioner.kinds.fleet.placement import index_of, on_members, per_option, verb
from provisioner.kinds.fleet.readiness.members import never_telling
from provisioner.kinds.fleet.settings.differences import by_setting, differing
from provisioner.kinds.fleet.settings.launch_tag import impossible_words, read_record
from provisioner.kinds.fleet.settings.setting import NOT_COMPARED, How
from provisioner.kinds.fleet.settings.table import SETTINGS
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.instances import Instance, named
from provisioner.kinds.launch_token import is_earlier
from provisioner.model import Address, Note, NoteKind
from provisioner.naming import ASKED_TAG, INDEX_TAG, LAUNCH_TAG

# The tags that say a number, and what reads it.
_NUMBERS: tuple[tuple[str, Callable[[Instance], int | None]], ...] = (
    (ASKED_TAG, asked_for),
    (INDEX_TAG, index_of),
)

# Members by their launch tag, which most of a fleet have alike.
Alike = Mapping[str, Sequence[Instance]]


def notes(
    address: Address, fleet: Fleet, observed: ObservedFleet, staying: Sequence[Instance]
) -> Iterator[Note]:
    """The notes on a fleet as the spec has it; `staying` are the members that no change takes away."""
    yield from (Note(address, text, is_warning=True) for text in observed.warnings)
    alike = _by_launch_tag(staying)
    for kind, texts in (
        (NoteKind.ADVICE, _ignored(fleet)),
        (NoteKind.NOT_COMPARED, observed.unchecked),
        (NoteKind.ADVICE, observed.advice),
        (NoteKind.DIFFERENCE, observed.drift),
        (NoteKind.ADVICE, _impossible_tags(staying, alike)),
        (NoteKind.ADVICE, _earlier_tokens(observed.members)),
        (NoteKind.NOT_COMPARED, _unrecorded(staying, alike)),
        (NoteKind.NOT_COMPARED, _left_out(fleet, alike)),
        (NoteKind.NOT_COMPARED, _never_telling(fleet, staying)),
        (NoteKind.DIFFERENCE, _left_alone(fleet, staying)),
        (NoteKind.DIFFERENCE, _protected(fleet, observed.members)),
        (NoteKind.ADVICE, _not_there(fleet, observed.members)),
        (NoteKind.ADVICE, _choices(fleet, staying)),
        (NoteKind.ADVICE, _elsewhere(fleet, observed, staying)),
        (NoteKind.ADVICE, _images(fleet, observed, staying)),
    ):
        yield from (Note(address, text, kind=kind) for text in texts)


def _ignored(fleet: Fleet) -> Iterator[str]:
    """What `ignore_changes` leaves to others."""
    if fleet.ignore_changes:
        paths = sorted(fleet.ignore_changes)
        are = "are" if len(paths) > 1 else "is"
        yield (
            f"{', '.join(paths)} {are} left to others by `ignore_changes`: not compared on members that are "
            "there, while new ones get what the spec says"
        )


def _by_launch_tag(members: Sequence[Instance]) -> Alike:
    alike: dict[str, list[Instance]] = {}
    for member in members:
        alike.setdefault(member.tag(LAUNCH_TAG) or "", []).append(member)
    return alike


def _impossible_tags(staying: Sequence[Instance], alike: Alike) -> Iterator[str]:
    """Tags of ours with values that provisioner does not write."""
    impossible = {member.id for some in alike.values() if impossible_words(some[0]) for member in some}
    for member in staying:
        tags = [(LAUNCH_TAG, word) for word in impossible_words(member)] if member.id in impossible else []
        has = member.tags or {}
        for key, read in _NUMBERS:
            if key in has and read(member) is None:
                tags.append((key, has[key]))
        for key, value in tags:
            yield (
                f"{named(member)}: {value!r} in the tag {key} is not provisioner's, so it is passed over; "
                "somebody else has written it"
            )


def _earlier_tokens(members: Sequence[Instance]) -> Iterator[str]:
    earlier = [member for member in members if is_earlier(member)]
    if earlier:
        yield (
            f"{on_members(earlier)} launched by an earlier version of provisioner. Their token is only known "
            "while the instance profile is not made anew; replace them when it suits"
        )


def _unrecorded(staying: Sequence[Instance], alike: Alike) -> Iterator[str]:
    if any(not read_record(some[0]) for some in alike.values()):
        unrecorded = [member.id for member in staying if not read_record(member)]
        yield (
            f"{', '.join(unrecorded)} without the tag {LAUNCH_TAG}: what EC2 does not show of a member (user "
            "data, volumes, termination protection) is not compared; replace it to have that again"
        )


def _left_out(fleet: Fleet, alike: Alike) -> Iterator[str]:
    """What the spec says and the launch tag of a member does not, so that nothing shows what it has."""
    found: dict[str, list[Instance]] = {}
    for setting in SETTINGS:
        word = setting.remembered
        if word and word.read and setting.desired(fleet) is not NOT_COMPARED:
            members = [member for some in alike.values() if word.is_left_out(some[0]) for member in some]
            unseen = [member for member in members if setting.observed(member) is NOT_COMPARED]
            if unseen:
                found[setting.path] = unseen
    for path, members in found.items():
        yield (
            f"the tag {LAUNCH_TAG} of {on_members(members)} does not say {path}, so it is "
            "not compared; `--deep` reads it"
        )


def _never_telling(fleet: Fleet, staying: Sequence[Instance]) -> Iterator[str]:
    """Members that cannot tell that they are ready, because they were launched before they were asked to."""
    members = never_telling(fleet, staying)
    if members:
        yield (
            f"{on_members(members)} launched without what `ready: cloud_init` needs beside the user data, so "
            "whether it has finished is not known; status checks count there. A replacement has it"
        )


def _left_alone(fleet: Fleet, staying: Sequence[Instance]) -> Iterator[str]:
    """Settings that the fleet's `update:` changes on new members only."""
    for setting, members in by_setting(fleet, staying, None):
        path = setting.path
        option = "on_user_data: ignore" if path == "user_data" else "on_restart: never"
        yield f"{path} {verb(path)} on {on_members(members)}, left alone by `update: {{{option}}}`"


def _protected(fleet: Fleet, members: Sequence[Instance]) -> Iterator[str]:
    protected = [member for member in members if member.id in fleet.protect] if fleet.protect else []
    for name, settings in differing(fleet, protected, How.REPLACE).items():
        paths = ", ".join(setting.path for setting in settings)
        yield f"{name} is in `protect`, so it is not replaced though {paths} {verb(paths)}"


def _not_there(fleet: Fleet, members: Sequence[Instance]) -> Iterator[str]:
    missing = sorted(fleet.protect - {member.id for member in members})
    if missing:
        yield f"{', '.join(missing)} in `protect` is no member of this fleet"


def _choices(fleet: Fleet, staying: Sequence[Instance]) -> Iterator[str]:
    numbers = per_option(fleet, staying)
    for number, option in enumerate(numbers, 1):
        if number > 1 and numbers[option]:
            have = on_members(range(numbers[option]))
            yield f"{have} with {option}, choice {number} of {len(numbers)}"


def _elsewhere(fleet: Fleet, observed: ObservedFleet, staying: Sequence[Instance]) -> Iterator[str]:
    """Members that would be launched in other subnets now, where these were looked up."""
    chosen = {subnet.id for subnet in observed.prerequisites.subnets}
    members = [member for member in staying if member.subnet not in chosen]
    if fleet.where.tags and chosen and members:
        where = ", ".join(sorted({str(member.subnet) for member in members}))
        yield (
            f"{on_members(members)} in {where}, where `subnets:` launches none by now; tags move nobody. "
            "Name the subnets by id to have them replaced"
        )


def _images(fleet: Fleet, observed: ObservedFleet, staying: Sequence[Instance]) -> Iterator[str]:
    if fleet.image.id and staying:
        # The members run all the same.
        yield from (f"{problem}; nothing can be launched until then" for problem in observed.newest.problems)
    given = observed.newest.image if fleet.image.id else None
    deprecated = observed.prerequisites.deprecated or (given.deprecated if given else None)
    if deprecated:
        image = observed.prerequisites.image or fleet.image.id
        yield f"the image {image} is deprecated since {deprecated}; choose a newer one in `image:`"
    if observed.newest.error:
        error = observed.newest.error
        doubt = f"image {fleet.image.id} is deprecated" if fleet.image.id else "there is a newer image"
        yield f"whether {doubt} is not known: {in_short(error)}"
    if fleet.image.id or fleet.image.update == "roll" or not observed.newest.image:
        return
    images = dict.fromkeys(member.image for member in staying)
    refresh = f"`apply --refresh-image {fleet.key}` replaces the members"
    if len(images) > 1:
        yield f"members have {len(images)} images, {', '.join(images)}; {refresh}"
    elif images and observed.newest.image.id not in images:
        newer = f"there is a newer image, {observed.newest.image.id}"
        yield f"{newer}; the fleet stays with {next(iter(images))}. {refresh}"
