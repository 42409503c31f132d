"""A fleet as a spec asks for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from provisioner.kinds.base import Entry, Path
from provisioner.kinds.fleet.volume_limits import same_device, volume_problems
from provisioner.model import Address
from provisioner.naming import FLEET_TAG, NAME_TAG, default_name, ownership_tags

# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html
LARGEST_USER_DATA = 16 * 1024

ROOT_VOLUME, VOLUMES = "root_volume", "volumes"
ON_DEMAND, SPOT = "on_demand", "spot"

# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/work-with-tags-in-IMDS.html
_KEY_IN_METADATA = re.compile(r"(?!(\.|\.\.|_index)$)[A-Za-z0-9+=.,_:@-]+")


@dataclass(frozen=True)
class Image:
    """Where the image comes from: an id, or an SSM parameter, or the newest of an owner by name.

    `pinned` is the id of the one that a fleet by parameter or lookup stays with, once it was looked up.
    """

    id: str | None = None
    ssm: str | None = None
    owner: str | None = None
    name: str | None = None
    architecture: str | None = None
    update: str = "pin"
    pinned: str | None = None


@dataclass(frozen=True)
class Where:
    """Where members may run: these subnets, those with these tags, or the default ones (of these zones)."""

    subnets: tuple[str, ...] = ()
    tags: Mapping[str, str] | None = None
    zones: tuple[str, ...] = ()


@dataclass(frozen=True)
class Volume:
    """A volume that is made at launch; the root volume has no device. None: AWS chooses."""

    device: str | None = None
    size_gb: int | None = None
    type: str | None = None
    iops: int | None = None
    throughput: int | None = None
    encrypted: bool | None = None
    kms_key_id: str | None = None
    delete_on_termination: bool = True


@dataclass(frozen=True)
class Update:
    """How members are restarted and replaced; `max_unavailable` is a number of members."""

    max_unavailable: int = 1
    order: str = "launch_first"
    on_restart: str = "restart"
    on_user_data: str = "replace"
    healthy: str = "running"
    timeout_minutes: int = 15
    pause_on_failure: bool = True


@dataclass(frozen=True)
class CapacityOption:
    """What to launch where there is capacity for it: an instance type on a market."""

    type: str
    market: str = ON_DEMAND

    def __str__(self) -> str:
        return self.type if self.market == ON_DEMAND else f"{self.type} ({self.market})"


@dataclass(frozen=True)
class Fleet:
    """A fleet. `tags` are those that every member has but for its name. None: AWS chooses."""

    key: str
    count: int
    name: str
    profile: Address | None
    image: Image
    instance_types: tuple[str, ...]
    where: Where
    security_groups: tuple[str, ...]
    key_name: str | None
    user_data: bytes
    root_volume: Volume | None
    volumes: tuple[Volume, ...]
    http_tokens: str
    http_endpoint: str
    hop_limit: int
    instance_tags: str
    monitoring: bool
    ebs_optimized: bool | None
    termination_protection: bool
    shutdown_behavior: str
    associate_public_ip: bool | None
    tenancy: str | None
    tags: Mapping[str, str]
    power: str = "running"
    market: str = ON_DEMAND
    max_price: str | None = None
    fallback: str | None = None
    protect: frozenset[str] = frozenset()
    rebalance: bool = False
    update: Update = Update()
    written: Mapping[str, Any] = field(default_factory=dict)
    ignore_changes: frozenset[str] = frozenset()

    def says(self, path: str) -> Any:
        """What the entry in the spec has at a dotted path, as it is written there; None: nothing."""
        value: Any = self.written
        for name in path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    def ignores(self, path: str) -> bool:
        """Whether a setting, or a field of a volume, is left to others on members that are there.

        `volumes.size_gb` stands for that of every volume, `volumes` for all that is said of them.
        """
        parts = path.split(".")
        above = {".".join(parts[:count]) for count in range(1, len(parts) + 1)}
        return not self.ignore_changes.isdisjoint({*above, f"{parts[0]}.{parts[-1]}"})

    @property
    def markets(self) -> tuple[str, ...]:
        """The markets to buy on, in the order in which they are tried."""
        return (self.market, self.fallback) if self.fallback else (self.market,)

    @property
    def capacity_options(self) -> tuple[CapacityOption, ...]:
        """What members can be, in the order in which it is tried."""
        return tuple(CapacityOption(each, market) for market in self.markets for each in self.instance_types)

    def told(self, option: CapacityOption) -> str:
        """One of these in words. The market is told where there is more than one."""
        if len(self.markets) == 1:
            return str(option)
        return f"{option.type} ({option.market.replace('_', ' ')})"

    @property
    def uses(self) -> frozenset[Address]:
        return frozenset({self.profile}) if self.profile else frozenset()

    @property
    def is_indexed(self) -> bool:
        """Whether each member has a number in its name."""
        return self.member_name(1) != self.name

    def group_ids(self, known: Mapping[str, str]) -> list[str]:
        """The ids of its security groups, each once; `known` maps them as the spec has them to their ids."""
        return list(dict.fromkeys(known[group] for group in self.security_groups))

    def member_name(self, index: int) -> str:
        """The Name tag of the member with this number."""
        return self.name.format(index=index)


def parse_fleet(key: str, raw: Mapping[str, Any], entry: Entry) -> Fleet:
    """The entry as a Fleet; what a schema cannot say is reported to `entry`."""
    profile = raw.get("instance_profile")
    if profile:
        entry.check_reference(("instance_profile",), "instance_profiles", profile)
    _check_metadata(raw, entry)
    metadata = raw.get("metadata", {})
    types = raw["instance_type"]
    return Fleet(
        key=key,
        count=raw["count"],
        name=_name(key, raw, entry),
        profile=Address("instance_profile", profile) if profile else None,
        image=Image(id=raw["image"]) if isinstance(raw["image"], str) else Image(**raw["image"]),
        instance_types=(types,) if isinstance(types, str) else tuple(types),
        where=_where(raw, entry),
        security_groups=tuple(raw.get("security_groups", ())),
        key_name=raw.get("key_name"),
        user_data=_user_data(raw.get("user_data", ""), entry),
        root_volume=_volume(raw["root_volume"], ("root_volume",), entry) if raw.get("root_volume") else None,
        volumes=_volumes(raw.get("volumes", ()), entry),
        http_tokens=metadata.get("http_tokens", "required"),
        http_endpoint=metadata.get("http_endpoint", "enabled"),
        hop_limit=metadata.get("hop_limit", 1),
        instance_tags=metadata.get("instance_tags", "disabled"),
        monitoring=raw.get("monitoring", False),
        ebs_optimized=raw.get("ebs_optimized"),
        termination_protection=raw.get("termination_protection", False),
        shutdown_behavior=raw.get("shutdown_behavior", "terminate" if raw.get("market") == SPOT else "stop"),
        associate_public_ip=raw.get("associate_public_ip"),
        tenancy=raw.get("tenancy"),
        tags=_tags(key, raw, entry),
        power=raw.get("power", "running"),
        market=_market(raw, entry),
        max_price=raw.get("max_price"),
        fallback=raw.get("fallback"),
        protect=frozenset(raw.get("protect", ())),
        rebalance=raw.get("rebalance", False),
        update=_update(raw.get("update", {}), raw["count"]),
        written=raw,
        ignore_changes=frozenset(raw.get("ignore_changes", ())),
    )


def _update(raw: Mapping[str, Any], count: int) -> Update:
    most = raw.get("max_unavailable", "10%")
    number = most if isinstance(most, int) else count * int(most.removesuffix("%")) // 100
    return Update(**{**raw, "max_unavailable": max(1, number)})


def _market(raw: Mapping[str, Any], entry: Entry) -> str:
    """The market. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/how-spot-instances-work.html"""
    market: str = raw.get("market", ON_DEMAND)
    if market == ON_DEMAND:
        for name in ("max_price", "fallback"):
            if name in raw:
                entry.problem((name,), "only Spot instances have it", "add `market: spot`, or take it out")
        return market
    if raw.get("power") == "stopped":
        hint = "set `count: 0`, or use `market: on_demand`"
        entry.problem(("power",), "one-time Spot instances cannot be stopped", hint)
    if raw.get("termination_protection"):
        hint = "take it out, or use `market: on_demand`"
        entry.problem(("termination_protection",), "Spot instances cannot have it", hint)
    if raw.get("tenancy") == "host":
        hint = "take it out, or use `market: on_demand`"
        entry.problem(("tenancy",), "Spot instances cannot run on a dedicated host", hint)
    if raw.get("shutdown_behavior") == "stop":
        hint = "write terminate, or use `market: on_demand`"
        entry.problem(("shutdown_behavior",), "one-time Spot instances cannot be stopped", hint)
    return market


def _name(key: str, raw: Mapping[str, Any], entry: Entry) -> str:
    name: str = raw.get("name", default_name(entry.environment, key))
    try:
        longest = name.format(index=raw["count"])
    except (ValueError, KeyError, IndexError, AttributeError):
        entry.problem(("name",), f"{name!r} is no template", "write {index} or {index:02d} for the number")
        return name
    if len(longest) > 256:
        entry.problem(("name",), "a name is a tag, and a tag takes at most 256 characters")
    if NAME_TAG in raw.get("tags", {}):
        entry.problem(("tags", NAME_TAG), "the Name tag is given by `name:`", "move it there")
    if NAME_TAG in entry.tags and "name" not in raw:
        entry.common_tag_problem(
            NAME_TAG,
            "each fleet names its members, by `name:` or by its key",
            "take it out here, or give every fleet a `name:`, which wins over it",
        )
    return name


def _tags(key: str, raw: Mapping[str, Any], entry: Entry) -> dict[str, str]:
    """The tags of every member and its volumes: the environment's, the fleet's, ours. The Name is apart."""
    merged = {**entry.tags, **raw.get("tags", {}), **ownership_tags(entry.environment), FLEET_TAG: key}
    return {name: value for name, value in merged.items() if name != NAME_TAG}


def _where(raw: Mapping[str, Any], entry: Entry) -> Where:
    subnets = raw.get("subnets", ())
    for index, zone in enumerate(raw.get("availability_zones", ())):
        if not zone.startswith(entry.region):
            entry.problem(("availability_zones", index), f"{zone} is not in {entry.region}")
    if isinstance(subnets, Mapping):
        return Where(tags=subnets["tags"])
    return Where(subnets=tuple(subnets), zones=tuple(raw.get("availability_zones", ())))


def _user_data(written: Any, entry: Entry) -> bytes:
    if isinstance(written, str):
        content: bytes | None = written.encode()
        path: tuple[str, ...] = ("user_data",)
    else:
        path = ("user_data", "file")
        content = entry.read_file(path, written["file"])
    if content and len(content) > LARGEST_USER_DATA:
        entry.problem(
            path,
            f"{len(content)} bytes of user data; EC2 takes at most {LARGEST_USER_DATA}",
            "put the bulk where the instance can fetch it, S3 for instance",
        )
    return content or b""


def _volumes(written: Any, entry: Entry) -> tuple[Volume, ...]:
    devices: list[str] = []
    for index, volume in enumerate(written):
        if any(same_device(volume["device"], other) for other in devices):
            entry.problem(("volumes", index, "device"), f"{volume['device']} is given twice")
        devices.append(volume["device"])
    volumes = (
        _volume({"type": "gp3", **volume}, ("volumes", index), entry) for index, volume in enumerate(written)
    )
    return tuple(sorted(volumes, key=lambda volume: volume.device or ""))


def _volume(written: Mapping[str, Any], path: Path, entry: Entry) -> Volume:
    for name, message, hint in volume_problems(written, entry.region):
        entry.problem((*path, name), message, hint)
    return Volume(**written)


def unfit_for_metadata(keys: Iterable[str]) -> list[str]:
    """The tag keys that the metadata service cannot serve, so that EC2 refuses to show tags there.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/work-with-tags-in-IMDS.html
    """
    return sorted(key for key in keys if not _KEY_IN_METADATA.fullmatch(key))


def _check_metadata(raw: Mapping[str, Any], entry: Entry) -> None:
    if raw.get("metadata", {}).get("instance_tags") != "enabled":
        return
    own = raw.get("tags", {})
    for key in unfit_for_metadata({**entry.tags, **own}):
        message = (
            f"the tag key {key!r} cannot be shown in the metadata, which takes letters, digits and +-=.,_:@"
        )
        path: Path = ("tags", key) if key in own else ("metadata", "instance_tags")
        entry.problem(path, message, "rename the tag, or set `instance_tags: disabled`")


def as_fields(volume: Volume) -> dict[str, Any]:
    """What a volume says, without what it leaves to AWS."""
    said = {field.name: getattr(volume, field.name) for field in fields(volume)}
    return {name: value for name, value in said.items() if value is not None}
