"""One table: every setting of a fleet's members, how it can be changed, and why.

`wanted` gives what the spec asks for, `actual` what a member has; NOT_COMPARED from either says that there
is nothing to compare. What DescribeInstances does not show is compared by the launch record.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from provisioner.kinds.fleet.launch_tag import image_source, launch_record, read_record
from provisioner.kinds.fleet.spec import SPOT, Fleet
from provisioner.kinds.instances import Instance

EC2_API = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference"
EC2_GUIDE = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide"


class NotCompared:
    """The type of NOT_COMPARED."""


NOT_COMPARED = NotCompared()


class How(StrEnum):
    LIVE = "live"
    RESTART = "restart"
    REPLACE = "replace"


@dataclass(frozen=True)
class Setting:
    """One setting: its path in the spec, how it changes, why, and the AWS document that says so."""

    path: str
    how: How
    why: str
    source: str
    wanted: Callable[[Fleet], Any]
    actual: Callable[[Instance], Any]
    agree: Callable[[Any, Any], bool] = operator.eq


class ImageIs(NamedTuple):
    """Which image, and where it came from; None: that does not matter, or is not known."""

    id: str
    source: str | None


def _image_wanted(fleet: Fleet) -> ImageIs | NotCompared:
    if fleet.image.id:
        return ImageIs(fleet.image.id, None)
    return ImageIs(fleet.image.pinned, image_source(fleet.image)) if fleet.image.pinned else NOT_COMPARED


def _same_image(wanted: ImageIs, actual: ImageIs) -> bool:
    is_kept = wanted.source is not None and actual.source in (None, wanted.source)
    return wanted.id == actual.id or is_kept


def _says_no_less(wanted: str, actual: str) -> bool:
    return set(wanted.split(",")) <= set(actual.split(","))


def _recorded(
    name: str, is_compared: Callable[[Fleet], object] = lambda fleet: True
) -> tuple[Callable[[Fleet], Any], Callable[[Instance], Any]]:
    return (
        lambda fleet: launch_record(fleet)[name] if is_compared(fleet) else NOT_COMPARED,
        lambda instance: read_record(instance).get(name, NOT_COMPARED),
    )


def _or_any(value: Any) -> Any:
    return NOT_COMPARED if value is None else value


def _same_groups(wanted: tuple[str, ...], actual: Mapping[str, str]) -> bool:
    """Whether the groups are those that the spec gives, each by id, by name, or by both."""
    ids = {name: group for group, name in actual.items()} | {group: group for group in actual}
    return {ids.get(group) for group in wanted} == set(actual)


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "metadata.http_tokens",
        How.LIVE,
        "metadata options change while the instance runs",
        f"{EC2_API}/API_ModifyInstanceMetadataOptions.html",
        lambda fleet: fleet.http_tokens,
        lambda instance: instance.http_tokens,
    ),
    Setting(
        "metadata.http_endpoint",
        How.LIVE,
        "metadata options change while the instance runs",
        f"{EC2_API}/API_ModifyInstanceMetadataOptions.html",
        lambda fleet: fleet.http_endpoint,
        lambda instance: instance.http_endpoint,
    ),
    Setting(
        "metadata.hop_limit",
        How.LIVE,
        "metadata options change while the instance runs",
        f"{EC2_API}/API_ModifyInstanceMetadataOptions.html",
        lambda fleet: fleet.hop_limit,
        lambda instance: instance.hop_limit,
    ),
    Setting(
        "metadata.instance_tags",
        How.LIVE,
        "metadata options change while the instance runs",
        f"{EC2_API}/API_ModifyInstanceMetadataOptions.html",
        lambda fleet: fleet.instance_tags,
        lambda instance: instance.instance_tags,
    ),
    Setting(
        "monitoring",
        How.LIVE,
        "detailed monitoring is switched while the instance runs",
        f"{EC2_API}/API_MonitorInstances.html",
        lambda fleet: fleet.monitoring,
        lambda instance: instance.monitoring,
    ),
    Setting(
        "termination_protection",
        How.LIVE,
        "termination protection is switched while the instance runs",
        f"{EC2_API}/API_ModifyInstanceAttribute.html",
        *_recorded("protection"),
    ),
    Setting(
        "shutdown_behavior",
        How.LIVE,
        "shutdown behaviour is switched while the instance runs",
        f"{EC2_API}/API_ModifyInstanceAttribute.html",
        *_recorded("shutdown"),
    ),
    Setting(
        "security_groups",
        How.LIVE,
        "the groups of a network interface change while the instance runs",
        f"{EC2_API}/API_ModifyInstanceAttribute.html",
        lambda fleet: tuple(sorted(fleet.security_groups)) or NOT_COMPARED,
        lambda instance: instance.groups or {},
        _same_groups,
    ),
    Setting(
        "instance_type",
        How.RESTART,
        "the type can only be changed while the instance is stopped",
        f"{EC2_GUIDE}/ec2-instance-resize.html",
        lambda fleet: fleet.instance_types,
        lambda instance: instance.type,
        operator.contains,
    ),
    Setting(
        "ebs_optimized",
        How.RESTART,
        "EBS optimisation can only be changed while the instance is stopped",
        f"{EC2_API}/API_ModifyInstanceAttribute.html",
        lambda fleet: _or_any(fleet.ebs_optimized),
        lambda instance: instance.ebs_optimized,
    ),
    Setting(
        "market",
        How.REPLACE,
        "the market is chosen at launch",
        f"{EC2_GUIDE}/how-spot-instances-work.html",
        lambda fleet: fleet.markets,
        lambda instance: instance.market,
        operator.contains,
    ),
    Setting(
        "user_data",
        How.REPLACE,
        "user data runs at the first boot, so only a new instance acts on it",
        f"{EC2_GUIDE}/user-data.html",
        *_recorded("user_data"),
    ),
    Setting(
        "image",
        How.REPLACE,
        "the image is fixed at launch",
        f"{EC2_API}/API_RunInstances.html",
        _image_wanted,
        lambda instance: ImageIs(instance.image, read_record(instance).get("image")),
        _same_image,
    ),
    Setting(
        "key_name",
        How.REPLACE,
        "the key pair is fixed at launch",
        f"{EC2_GUIDE}/ec2-key-pairs.html",
        lambda fleet: fleet.key_name,
        lambda instance: instance.key_name,
    ),
    Setting(
        "subnets",
        How.REPLACE,
        "the subnet is fixed at launch",
        f"{EC2_API}/API_RunInstances.html",
        lambda fleet: fleet.where.subnets or NOT_COMPARED,
        lambda instance: instance.subnet,
        operator.contains,
    ),
    Setting(
        "availability_zones",
        How.REPLACE,
        "the zone is fixed at launch",
        f"{EC2_API}/API_RunInstances.html",
        lambda fleet: fleet.where.zones or NOT_COMPARED,
        lambda instance: instance.zone,
        operator.contains,
    ),
    Setting(
        "tenancy",
        How.REPLACE,
        "tenancy is fixed at launch, but for moves between dedicated and host",
        f"{EC2_API}/API_ModifyInstancePlacement.html",
        lambda fleet: _or_any(fleet.tenancy),
        lambda instance: instance.tenancy,
    ),
    Setting(
        "root_volume",
        How.REPLACE,
        "the root volume is made at launch",
        f"{EC2_API}/API_RunInstances.html",
        *_recorded("root_volume", lambda fleet: fleet.root_volume),
        _says_no_less,
    ),
    Setting(
        "volumes",
        How.REPLACE,
        "volumes are made at launch",
        f"{EC2_API}/API_RunInstances.html",
        *_recorded("volumes", lambda fleet: fleet.volumes),
    ),
    Setting(
        "associate_public_ip",
        How.REPLACE,
        "the public address is given at launch",
        f"{EC2_API}/API_RunInstances.html",
        *_recorded("public_ip", lambda fleet: fleet.associate_public_ip is not None),
    ),
)


def how_for(setting: Setting, fleet: Fleet) -> How | None:
    """How a setting is changed on this fleet's members, by its `update:`; None: on new members only.

    A one-time Spot instance cannot be stopped, so it is replaced:
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/stop-spot-instance.html
    """
    how: How | None = setting.how
    if setting.path == "user_data":
        how = {"replace": How.REPLACE, "restart": How.RESTART, "ignore": None}[fleet.update.on_user_data]
    elif setting.how is How.RESTART:
        how = {"restart": How.RESTART, "replace": How.REPLACE, "never": None}[fleet.update.on_restart]
    return How.REPLACE if how is How.RESTART and fleet.market == SPOT else how


def why_for(setting: Setting, fleet: Fleet) -> str:
    """Why a setting is changed as it is on this fleet's members."""
    if setting.how is How.RESTART and fleet.market == SPOT:
        return "Spot instances cannot be stopped to change it"
    if setting.how is How.RESTART and fleet.update.on_restart == "replace":
        return "as `update: {on_restart: replace}` says"
    if setting.path == "user_data" and fleet.update.on_user_data == "restart":
        return "as `update: {on_user_data: restart}` says"
    return setting.why


def differing(fleet: Fleet, members: Iterable[Instance], how: How | None) -> dict[str, tuple[Setting, ...]]:
    """The settings that are changed in one way and in which members differ from the spec, by member."""
    chosen = [(each, each.wanted(fleet)) for each in SETTINGS if how_for(each, fleet) is how]
    compared = [(setting, wanted) for setting, wanted in chosen if wanted is not NOT_COMPARED]
    found: dict[str, tuple[Setting, ...]] = {}
    for member in members:
        wrong = tuple(setting for setting, wanted in compared if not _agree(setting, wanted, member))
        if wrong:
            found[member.id] = wrong
    return found


def _agree(setting: Setting, wanted: Any, instance: Instance) -> bool:
    actual = setting.actual(instance)
    return actual is NOT_COMPARED or setting.agree(wanted, actual)


def differs(setting: Setting, fleet: Fleet, instance: Instance) -> bool:
    """Whether a member has something else than the spec asks for."""
    wanted = setting.wanted(fleet)
    return wanted is not NOT_COMPARED and not _agree(setting, wanted, instance)


def shown(value: Any) -> Any:
    """A setting's value as a plan shows it: plain data."""
    if isinstance(value, ImageIs):
        return value.id
    if isinstance(value, Mapping):
        return tuple(sorted(value.values()))
    if isinstance(value, tuple) and len(value) == 1:
        return value[0]
    return value
