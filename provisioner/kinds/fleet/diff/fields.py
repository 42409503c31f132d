"""What a plan tells of a fleet's fields: all that new members get, and all that differs after a replacement.

A launch takes everything of the spec, also what members that are there are not compared in. So a successor
differs from its predecessor in more than what made it necessary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from provisioner.kinds.fleet.conditions import tag_differences
from provisioner.kinds.fleet.settings.differences import differs, shown
from provisioner.kinds.fleet.settings.setting import NOT_COMPARED, NOT_KNOWN, Setting
from provisioner.kinds.fleet.settings.table import SETTINGS
from provisioner.kinds.fleet.settings.user_data import observed_user_data, wanted_user_data
from provisioner.kinds.fleet.settings.volume_drift import differences, unlisted
from provisioner.kinds.fleet.spec import ROOT_VOLUME, VOLUMES, Fleet, as_fields
from provisioner.kinds.fleet.volumes.attached import of_spec
from provisioner.kinds.instance_profile.binding import WantedProfile, bound_wrong
from provisioner.kinds.instances import Instance
from provisioner.kinds.tags import made_tags
from provisioner.model import FieldChange
from provisioner.naming import INDEX_TAG, NAME_TAG, is_ignored

_USER_DATA = "user_data"
# What a spec says of a fleet and is told in its own way.
_APART = (
    "count",
    "name",
    "instance_type",
    "instance_profile",
    _USER_DATA,
    "tags",
    ROOT_VOLUME,
    VOLUMES,
    "expires",
)
# Sections whose keys are fields by themselves, as in the table of settings.
_SECTIONS = {"update", "image", "subnets", *(setting.section for setting in SETTINGS if setting.section)}
# As many values as members have of one field are told one by one.
_MAX_VALUES = 5
# The group that a VPC comes with, which is given where a launch names none.
_DEFAULT_GROUP = "default"

Value = tuple[str, Any, Any]
"""Path, what a member has, and what its successor gets."""


def setting_field(setting: Setting, fleet: Fleet, members: Sequence[Instance]) -> FieldChange:
    """A setting that members are given, and what they have of it now."""
    return _field(setting.path, [_has(setting, member) for member in members], _gets(setting, fleet))


def launch_fields(
    fleet: Fleet, members: int, profile: str | None, image: str | None, spread: str
) -> Iterator[FieldChange]:
    """All that new members get, besides the `members` that are there. What the spec does not say is last.

    `spread` is where they will run, in words.
    """
    yield FieldChange("count", members, fleet.count)
    yield FieldChange("instance_type", None, ", else ".join(map(str, fleet.capacity_options)))
    yield FieldChange("image", None, image)
    if profile:
        yield FieldChange("instance_profile", None, profile)
    yield FieldChange("spread", None, spread)
    said = [*_said(fleet)]
    yield from said
    named = FieldChange("name", None, fleet.name, is_default="name" not in fleet.written)
    settled = {field.path for field in said}
    if fleet.expires:
        yield FieldChange("expires", None, fleet.end.words() if fleet.end else fleet.expires.written)
    yield from made_tags(fleet.tags)
    yield named
    yield from _defaults(fleet, settled)


def _said(fleet: Fleet) -> Iterator[FieldChange]:
    """What the spec says, in its order."""
    for key, value in fleet.written.items():
        if key == _USER_DATA and fleet.user_data:
            yield FieldChange(_USER_DATA, None, wanted_user_data(fleet))
        elif key == ROOT_VOLUME and fleet.root_volume:
            yield FieldChange(ROOT_VOLUME, None, as_fields(fleet.root_volume))
        elif key == VOLUMES:
            for volume in fleet.volumes:
                given = {name: said for name, said in as_fields(volume).items() if name != "device"}
                yield FieldChange(f"{VOLUMES}.{volume.device}", None, given)
        elif key in _SECTIONS and isinstance(value, Mapping):
            yield from (FieldChange(f"{key}.{name}", None, said) for name, said in value.items())
        elif key not in (*_APART, "image"):
            yield FieldChange(key, None, value)


def _defaults(fleet: Fleet, said: set[str]) -> Iterator[FieldChange]:
    """What a launch asks for although the spec does not say it."""
    for setting in SETTINGS:
        desired = setting.desired(fleet)
        is_told = setting.path in said or setting.path.split(".")[0] in (*_APART, "image", "subnets")
        if not is_told and desired not in (NOT_COMPARED, None):
            yield FieldChange(setting.path, None, _gets(setting, fleet), is_default=True)
    if fleet.root_volume is None:
        yield FieldChange(f"{ROOT_VOLUME}.delete_on_termination", None, True, is_default=True)
    if "power" not in said:
        yield FieldChange("power", None, fleet.power, is_default=True)


def replaced_fields(
    fleet: Fleet, going: Sequence[Instance], profile: WantedProfile | None, ignore_tags: Sequence[str]
) -> Iterator[FieldChange]:
    """All in which successors of members differ from them, as far as that is known of what members have."""
    wrong = {
        path
        for member in going
        for path, _, _ in (*_wrong(fleet, member), *_wrong_besides(fleet, member, profile, ignore_tags))
    }
    # New members get what the spec says, whatever is left to others on those that are there.
    fleet = replace(fleet, ignore_changes=frozenset())
    values: dict[str, list[Value]] = {}
    for member in going:
        for value in _differing(fleet, member, profile):
            values.setdefault(value[0], []).append(value)
    for path, found in values.items():
        afters = {repr(after): after for _, _, after in found}
        after = afters.popitem()[1] if len(afters) == 1 else tuple(afters.values())
        field = _field(path, [before for _, before, _ in found], after)
        yield replace(field, is_consequence=path not in wrong)


def _differing(fleet: Fleet, member: Instance, profile: WantedProfile | None) -> Iterator[Value]:
    image = fleet.image.id or fleet.image.pinned
    for setting in SETTINGS:
        if setting.path == "image":
            if image and member.image != image:
                yield setting.path, member.image, image
        elif setting.desired(fleet) is NOT_COMPARED:
            if _is_lost(setting, fleet, member):
                yield setting.path, _has(setting, member), None
        elif differs(setting, fleet, member):
            yield setting.path, _has(setting, member), _gets(setting, fleet)
        elif _has_choice(setting, fleet):
            yield setting.path, _has(setting, member), _choices(fleet)[setting.path]
    yield from _volumes(fleet, member)
    yield from _wrong_besides(fleet, member, profile, ())


def _wrong(fleet: Fleet, member: Instance) -> Iterator[Value]:
    """The settings in which a member is not as the spec says."""
    for setting in SETTINGS:
        if differs(setting, fleet, member):
            yield setting.path, _has(setting, member), _gets(setting, fleet)


def _wrong_besides(
    fleet: Fleet, member: Instance, profile: WantedProfile | None, ignore_tags: Sequence[str]
) -> Iterator[Value]:
    """What else of a member is not as the spec says: its profile, name, tags, and whether it runs."""
    if bound_wrong(profile, [member]):
        bound = member.profile.name if member.profile else None
        yield "instance_profile", bound, profile.name if profile else None
    if not (_is_named(fleet, member) or is_ignored(NAME_TAG, ignore_tags)):
        yield "name", member.tag(NAME_TAG), fleet.name
    for field in tag_differences(fleet, member, ignore_tags):
        yield field.path, field.before, field.after
    if member.is_stopped != (fleet.power == "stopped"):
        yield "power", member.state, fleet.power
    devices = member.devices or {}
    for device, goes in of_spec(fleet).items():
        if device in devices and devices[device].goes != goes:
            yield f"{VOLUMES}.{device}.delete_on_termination", not goes, goes


def _is_lost(setting: Setting, fleet: Fleet, member: Instance) -> bool:
    """Whether a member has what the spec does not say, and what a launch does not give by itself."""
    observed = setting.observed(member)
    if setting.path == "security_groups":
        return set((member.groups or {}).values()) not in (set(), {_DEFAULT_GROUP})
    if setting.path == ROOT_VOLUME and setting.remembered:
        return setting.remembered.of(member) not in (None, setting.remembered.text(fleet))
    return setting.by_itself is not NOT_COMPARED and observed not in (
        NOT_COMPARED,
        NOT_KNOWN,
        setting.by_itself,
    )


def _has_choice(setting: Setting, fleet: Fleet) -> bool:
    """Whether a successor may have something else than the member had, depending on what there is then."""
    return len(_choices(fleet).get(setting.path, ())) > 1


def _choices(fleet: Fleet) -> Mapping[str, tuple[str, ...]]:
    """What new members may be, in the order in which it is tried."""
    return {"instance_type": fleet.instance_types, "market": fleet.markets}


def _volumes(fleet: Fleet, member: Instance) -> Iterator[Value]:
    """What was made of volumes after the launch and is lost with them, as far as volumes were read."""
    for difference in differences(fleet, member):
        if not difference.replaces:
            yield difference.path, difference.observed, difference.desired or "as the spec says"
    for device in unlisted(fleet, member):
        yield f"{VOLUMES}.{device}", "attached", None


def _is_named(fleet: Fleet, member: Instance) -> bool:
    """Whether a member is called as the spec says, whatever its number."""
    number = member.tag(INDEX_TAG) or ""
    if fleet.is_indexed and not (number.isascii() and number.isdecimal()):
        return False
    return member.tag(NAME_TAG) == fleet.member_name(int(number or 0))


def _has(setting: Setting, member: Instance) -> Any:
    if setting.path == _USER_DATA:
        return observed_user_data(member)
    value = setting.observed(member)
    if value is NOT_COMPARED and setting.remembered:
        # Of volumes that were not read, what they were launched with.
        return setting.remembered.of(member)
    return shown(value)


def _gets(setting: Setting, fleet: Fleet) -> Any:
    return wanted_user_data(fleet) if setting.path == _USER_DATA else shown(setting.desired(fleet))


def _field(path: str, befores: Sequence[Any], after: Any) -> FieldChange:
    """A field of several members; many values that they have are told by their number."""
    distinct = {repr(value): value for value in befores}
    before: Any = tuple(distinct.values())
    if len(distinct) == 1:
        (before,) = before
    elif len(distinct) > _MAX_VALUES:
        before = f"{len(distinct)} different values"
    return FieldChange(path, before, after)
