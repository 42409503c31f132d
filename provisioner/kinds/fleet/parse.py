"""How an entry of a spec becomes a Fleet, and what a schema cannot say is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from provisioner.errors import UsageError
from provisioner.kinds.base import Entry, Path, World
from provisioner.kinds.fleet.ending import parse_end
from provisioner.kinds.fleet.spec import (
    ON_DEMAND,
    READINESS,
    RUNNING,
    SPOT,
    Fleet,
    Image,
    Update,
    Volume,
    Where,
    keys_hidden_from_metadata,
)
from provisioner.kinds.fleet.user_data.composing import MAX_USER_DATA
from provisioner.kinds.fleet.user_data.forms import why_not_beside
from provisioner.kinds.fleet.user_data.parts import asked_by, need_cloud_init, user_data_to_send
from provisioner.kinds.fleet.volumes.limits import same_device, volume_problems
from provisioner.kinds.keep import keep_tags
from provisioner.kinds.key_pair.spec import KeyPair
from provisioner.kinds.security_group.observed import id_at, vpc_at
from provisioner.kinds.security_group.spec import SecurityGroup
from provisioner.model import Address, Desired, Environment
from provisioner.naming import FLEET_TAG, NAME_TAG, default_name, ownership_tags


def parse_fleet(key: str, raw: Mapping[str, Any], entry: Entry) -> Fleet:
    """The entry as a Fleet; what a schema cannot say is reported to `entry`."""
    profile = raw.get("instance_profile")
    if profile:
        entry.check_reference(("instance_profile",), "instance_profiles", profile)
    expires = parse_end(raw, entry)
    _check_metadata(raw, entry, ends=expires is not None)
    metadata = raw.get("metadata", {})
    types = raw["instance_type"]
    goes_down = expires or raw.get("market") == SPOT
    fleet = Fleet(
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
        instance_tags=metadata.get("instance_tags", "enabled" if expires else "disabled"),
        monitoring=raw.get("monitoring", False),
        ebs_optimized=raw.get("ebs_optimized"),
        termination_protection=raw.get("termination_protection", False),
        shutdown_behavior=raw.get("shutdown_behavior", "terminate" if goes_down else "stop"),
        associate_public_ip=raw.get("associate_public_ip"),
        tenancy=raw.get("tenancy"),
        tags=_tags(key, raw, entry),
        power=raw.get("power", "running"),
        market=_market(raw, entry),
        max_price=raw.get("max_price"),
        fallback=raw.get("fallback"),
        protect=frozenset(raw.get("protect", ())),
        rebalance=raw.get("rebalance", False),
        update=_update(raw.get("update", {}), raw["count"], raw.get("ready", RUNNING), entry),
        ready=raw.get("ready", RUNNING),
        written=raw,
        ignore_changes=frozenset(raw.get("ignore_changes", ())),
        keep=raw.get("keep"),
        expires=expires,
        own_end="expires" in raw,
        key_pair=_key_pair(raw, entry),
        own_groups=frozenset(
            group for group in raw.get("security_groups", ()) if entry.has("security_groups", group)
        ),
    )
    _check_parts(fleet, entry)
    return fleet


def _key_pair(raw: Mapping[str, Any], entry: Entry) -> Address | None:
    """The key pair of the spec that the fleet names, which wins over one of the account."""
    name = raw.get("key_name")
    return Address("key_pair", name) if name is not None and entry.has("key_pairs", name) else None


def with_key_pair(fleet: Fleet, environment: Environment) -> Fleet:
    """The fleet with the name in AWS and the mark of the spec's key pair, if it has one of the spec."""
    if fleet.key_pair is None:
        return fleet
    key_pair = environment.of(KeyPair)[fleet.key_pair]
    return replace(fleet, key_name=key_pair.name, key_mark=key_pair.public_key.mark)


def with_references(fleet: Fleet, world: World) -> Fleet:
    """The fleet with what AWS calls the key pair and the security groups of the spec that it names."""
    groups = {key: Address("security_group", key) for key in sorted(fleet.own_groups)}
    return replace(
        with_key_pair(fleet, world.environment),
        own_ids={key: id_at(address, world) for key, address in groups.items()},
        own_vpcs={key: vpc_at(address, world) for key, address in groups.items()},
        keys_of_groups=tuple(at.key for at in world.environment.of(SecurityGroup)),
    )


def groups_that_name_its_own(fleet: Fleet, world: World) -> frozenset[Address]:
    """The groups of the spec whose rules name a group of the fleet: its members rely on these rules."""
    return frozenset(at for at, group in world.desired_of(SecurityGroup).items() if group.uses & fleet.uses)


def _update(raw: Mapping[str, Any], count: int, ready: str, entry: Entry) -> Update:
    healthy = raw.get("healthy", ready)
    if READINESS.index(healthy) < READINESS.index(ready):
        message = f"{healthy} asks less of a member than the fleet's `ready: {ready}`"
        entry.problem(("update", "healthy"), message, f"take it out: {ready} is its default then")
    most = raw.get("max_unavailable", "10%")
    number = most if isinstance(most, int) else count * int(most.removesuffix("%")) // 100
    return Update(**{**raw, "max_unavailable": max(1, number), "healthy": healthy})


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
    merged |= keep_tags(raw.get("keep"))
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
    if content and len(content) > MAX_USER_DATA:
        entry.problem(
            path,
            f"{len(content)} bytes of user data; EC2 takes at most {MAX_USER_DATA}",
            "put the bulk where the instance can fetch it, S3 for instance",
        )
    return content or b""


def _check_parts(fleet: Fleet, entry: Entry) -> None:
    """What the instance is to do for us goes beside the user data, where it can and where there is room."""
    asked = " and ".join(f"`{key}`" for key in asked_by(fleet))
    if not asked or len(fleet.user_data) > MAX_USER_DATA or not entry.needs_contents:
        return
    path: Path = ("user_data",) if "user_data" in fleet.written else ()
    if why := why_not_beside(fleet.user_data):
        message = f"the user data {why}, and {need_cloud_init(fleet)}"
        entry.problem(path, message, f"take {asked} out, or use other user data")
        return
    size, sent = len(fleet.user_data), len(user_data_to_send(fleet))
    if sent > MAX_USER_DATA:
        entry.problem(
            path,
            f"{size} bytes of user data, and {sent - size} beside it for {asked}; EC2 takes at most "
            f"{MAX_USER_DATA}, so {MAX_USER_DATA - sent + size} are left for yours",
            "put the bulk where the instance can fetch it, S3 for instance",
        )


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


def _check_metadata(raw: Mapping[str, Any], entry: Entry, ends: bool) -> None:
    said = raw.get("metadata", {}).get("instance_tags")
    if said != "enabled" and not (ends and said is None):
        return
    way_out = "take `expires` out" if ends else "set `instance_tags: disabled`"
    own = raw.get("tags", {})
    for key in keys_hidden_from_metadata({**entry.tags, **own}):
        message = (
            f"the tag key {key!r} cannot be shown in the metadata, which takes letters, digits and +-=.,_:@"
        )
        path: Path = ("tags", key) if key in own else ("metadata", "instance_tags") if said else ()
        entry.problem(path, message, f"rename the tag, or {way_out}")


def keep_images(environment: Environment) -> Environment:
    """The environment with fleets that have the image they were launched from, whatever is newer by now."""
    kept = {
        at: replace(fleet, image=replace(fleet.image, update="pin"))
        for at, fleet in environment.of(Fleet).items()
        if not fleet.image.id
    }
    return replace(environment, resources={**environment.resources, **kept})


def refresh_images(environment: Environment, keys: Iterable[str]) -> Environment:
    """The environment with fleets that follow their parameter or lookup. Raises UsageError."""
    fleets = {at.key: fleet for at, fleet in environment.of(Fleet).items()}
    rolled: dict[Address, Desired] = {}
    for key in keys:
        fleet = fleets.get(key)
        if fleet is None:
            have = ", ".join(sorted(fleets)) or "none"
            raise UsageError(f"{environment.source} has no fleet {key}", f"its fleets: {have}")
        if fleet.image.id:
            raise UsageError(
                f"fleet {key} is given its image by id, {fleet.image.id}",
                "change the id in the spec, and apply that",
            )
        rolled[Address("fleet", key)] = replace(fleet, image=replace(fleet.image, update="roll"))
    return replace(environment, resources={**environment.resources, **rolled})
