"""What a spec says of its fleets, held against the members; shares nothing with the program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from tests.properties.any_spec.environments import ENVIRONMENT, Spec
from tests.properties.any_spec.fake_parts import GROUPS, IMAGES, ROOT, SUBNETS, Machine, disks_of
from tests.properties.any_spec.picture import (
    FLEET,
    KEEP,
    NOTES,
    OWNER,
    Picture,
    binding,
    check_tags,
    fleet_of,
    tags_of,
)

RESTART, REPLACE, NEVER = "restart", "replace", "never"
# A fleet that the spec does not have.
GONE: Spec = {"count": 0}


def fleets_in(*pictures: Picture) -> set[str]:
    """The fleets that have members."""
    return {
        key for observed in pictures for one in observed.live.values() if (key := fleet_of(one)) is not None
    }


def refused_fleets(spec: Spec, before: Picture) -> Iterator[str]:
    """The fleets whose members have to go, and may not."""
    for key in fleets_in(before):
        members = before.members(key)
        raw = spec.get("fleets", {}).get(key, GONE)
        forced = _kept_by_force(raw, members)
        if _renewed(raw, members) & forced or len(forced) > raw["count"]:
            yield f"fleet {key}"


def check_fleets(spec: Spec, before: Picture, after: Picture) -> None:
    """Every fleet has as many members as the spec says, as they should be, and no more went than had to."""
    fleets = spec.get("fleets", {})
    for key in fleets_in(before, after) | fleets.keys():
        was, now = before.members(key), after.members(key)
        raw = fleets.get(key, GONE)
        assert len(now) == raw["count"], f"fleet {key} has {sorted(now)}"
        if key in fleets:
            _check_fleet(key, spec, was, now, after)


def _check_fleet(
    key: str, spec: Spec, was: Mapping[str, Machine], now: Mapping[str, Machine], after: Picture
) -> None:
    raw = spec["fleets"][key]
    new, kept = now.keys() - was.keys(), now.keys() & was.keys()
    for identifier in new:
        differing = set(_fixed(raw, now[identifier]))
        assert not differing, f"a new member has another {differing}"
        assert now[identifier].volume_tags.items() >= tags_of(spec, raw).items()
        assert now[identifier].image in _images(raw, was)
    for identifier in kept:
        _check_kept(raw, was[identifier], now[identifier])
    for member in now.values():
        assert member.state == raw.get("power", "running"), f"{member.id} is {member.state}"
        _check_member(key, spec, raw, member, after)
    _check_names(key, raw, now)
    _check_who_went(raw, was, kept)
    _check_spread(raw, was, kept, now)


def _check_kept(raw: Spec, was: Machine, now: Machine) -> None:
    """It has what a restart gives it, was restarted for that only, and the rest was to be left alone."""
    for field in _fixed(raw, now):
        how = _how(raw, field)
        is_left = how == NEVER or (how == REPLACE and now.id in raw.get("protect", ()))
        assert is_left, f"{now.id} has another {field}, and that is changed by {how}"
    for field in ("type", "ebs_optimized", "user_data", "image", "key", "market", "subnet"):
        if not any(_how(raw, fixed) == RESTART for fixed in _fixed(raw, was)):
            assert getattr(now, field) == getattr(was, field)
    is_down = "stop" in was.state + was.next
    if not is_down and not any(_how(raw, fixed) == RESTART for fixed in _fixed(raw, was)):
        assert now.boots == was.boots, f"{now.id} was restarted for nothing"


def _images(raw: Spec, was: Mapping[str, Machine]) -> Collection[str]:
    """The images that a new member may have."""
    if isinstance(raw["image"], str):
        return [raw["image"]]
    is_pinned = raw["image"].get("update") != "roll"
    own = {one.image for one in was.values() if not _launched_by_id(one)}
    return own if is_pinned and own else [list(IMAGES)[-1]]


def _launched_by_id(member: Machine) -> bool:
    """Whether its spec had its image by id, as is written on it; all others come from the one parameter."""
    return "image=id" in member.tags.get("provisioner:launch", "").split()


def _check_member(key: str, spec: Spec, raw: Spec, member: Machine, after: Picture) -> None:
    check_tags(
        {name: value for name, value in member.tags.items() if name not in (*NOTES, "Name")},
        spec,
        raw,
        {OWNER: ENVIRONMENT, FLEET: key},
    )
    options = raw.get("metadata", {})
    assert member.metadata == {
        "HttpTokens": options.get("http_tokens", "required"),
        "HttpEndpoint": options.get("http_endpoint", "enabled"),
        "HttpPutResponseHopLimit": options.get("hop_limit", 1),
        "InstanceMetadataTags": options.get("instance_tags", "disabled"),
    }
    disks = disks_of(member)
    volumes = {volume["device"]: {"type": "gp3"} | volume for volume in raw.get("volumes", ())}
    for device, said in {ROOT: raw.get("root_volume", {}), **volumes}.items():
        # One that is protected is not replaced to get a volume.
        if device not in disks and member.id in raw.get("protect", ()):
            continue
        assert _has_disk(disks[device], said), f"{member.id} has {disks[device]} at {device}"
    assert member.monitoring == raw.get("monitoring", False)
    assert member.protected == raw.get("termination_protection", False)
    usual = "terminate" if raw.get("market") == "spot" else "stop"
    assert member.shutdown == raw.get("shutdown_behavior", usual)
    if "security_groups" in raw:
        assert sorted(GROUPS[group] for group in member.groups) == sorted(
            GROUPS.get(group, group) for group in raw["security_groups"]
        )
    wanted = raw.get("instance_profile")
    assert member.profile == (binding(wanted, spec, after) if wanted else None)


def _check_names(key: str, raw: Spec, members: Mapping[str, Machine]) -> None:
    template = raw.get("name", f"{ENVIRONMENT}-{key}")
    if "{" not in template:
        assert {member.tags.get("Name") for member in members.values()} <= {template}
        return
    numbers = [int(member.tags["provisioner:index"]) for member in members.values()]
    assert len(set(numbers)) == len(numbers)
    assert all(number > 0 for number in numbers)
    for member in members.values():
        assert member.tags["Name"] == template.format(index=int(member.tags["provisioner:index"]))


# --- who goes


def _renewed(raw: Spec, members: Mapping[str, Machine]) -> set[str]:
    """The members that only another in their place gives what the spec says."""
    return {
        identifier
        for identifier, one in members.items()
        if identifier not in raw.get("protect", ())
        and any(_how(raw, field) == REPLACE for field in _fixed(raw, one))
    }


def _kept_by_force(raw: Spec, members: Mapping[str, Machine]) -> set[str]:
    """The members that must not go: kept, named, or under a protection that the spec does not take away."""
    is_lasting = raw.get("termination_protection", raw == GONE)
    return {
        identifier
        for identifier, one in members.items()
        if KEEP in one.tags or (one.protected and is_lasting) or identifier in raw.get("protect", ())
    }


def _check_who_went(raw: Spec, was: Mapping[str, Machine], kept: Collection[str]) -> None:
    """Those that need a successor, and as many as are too many: those with wrong settings, then those down.

    More go only to have members spread evenly again.
    """
    renewed = _renewed(raw, was)
    forced = _kept_by_force(raw, was)
    gone = was.keys() - set(kept)
    assert not gone & forced, "members went that must not"
    assert renewed <= gone, f"{renewed - gone} should have been replaced"
    surplus = max(len(was) - raw["count"], 0)
    further = len(gone - renewed)
    moved = _crowded(raw, was) if raw.get("rebalance") else 0
    assert further <= surplus + moved, f"{further} went, and {surplus} were too many"
    if moved:
        return

    def rank(identifier: str) -> int:
        if any(_fixed(raw, was[identifier])):
            return 0
        return 1 if was[identifier].state in ("stopping", "stopped") else 2

    if raw.get("update", {}).get("healthy") != "status_ok":
        went = [rank(identifier) for identifier in gone - renewed]
        stayed = [rank(identifier) for identifier in kept if identifier not in forced]
        assert max(went, default=0) <= min(stayed, default=2), "others should have gone"


# --- where they are


def _usable(raw: Spec) -> list[str]:
    """The subnets where members may be launched."""
    if raw.get("subnets") == {"tags": {"tier": "one"}}:
        return list(SUBNETS)[:2]
    allowed = raw["subnets"] if isinstance(raw.get("subnets"), list) else list(SUBNETS)
    zones = raw.get("availability_zones", SUBNETS.values())
    return [subnet for subnet in allowed if SUBNETS[subnet] in zones and not subnet.endswith("e")]


def _crowded(raw: Spec, members: Mapping[str, Machine]) -> int:
    """How many members there are more in each subnet than its share, taken together."""
    usable = _usable(raw)
    load = Counter(one.subnet for one in members.values())
    share = raw["count"] // len(usable)
    return sum(max(load[subnet] - share, 0) for subnet in usable)


def _check_spread(
    raw: Spec, was: Mapping[str, Machine], kept: Iterable[str], now: Mapping[str, Machine]
) -> None:
    """New members go where there are fewest; with `rebalance`, so do others until all are even."""
    usable = _usable(raw)
    load = Counter(one.subnet for one in now.values())
    least = min(load[subnet] for subnet in usable)
    for identifier in now.keys() - set(kept):
        assert now[identifier].subnet in usable
        assert load[now[identifier].subnet] <= least + 1
    if raw.get("rebalance") and not _kept_by_force(raw, was):
        assert max(load[subnet] for subnet in usable) <= least + 1, f"members are spread unevenly: {load}"


# --- what a member is


def _how(raw: Spec, field: str) -> str:
    """How a field of members that are there is changed."""
    update = raw.get("update", {})
    if field == "user_data":
        how = str(update.get("on_user_data", REPLACE)).replace("ignore", NEVER)
    else:
        how = update.get("on_restart", RESTART) if field in ("instance_type", "ebs_optimized") else REPLACE
    return REPLACE if how == RESTART and raw.get("market") == "spot" else how


def _fixed(raw: Spec, member: Machine) -> Iterator[str]:
    """The fields in which a member differs and that cannot be changed while it runs."""
    if raw == GONE:
        return
    kinds = raw["instance_type"]
    if member.type not in (kinds if isinstance(kinds, list) else [kinds]):
        yield "instance_type"
    if raw.get("ebs_optimized", member.ebs_optimized) != member.ebs_optimized:
        yield "ebs_optimized"
    if member.market not in (raw.get("market", "on_demand"), raw.get("fallback")):
        yield "market"
    if raw.get("user_data", "") != member.user_data:
        yield "user_data"
    wanted = raw["image"]
    if not isinstance(wanted, str) and (wanted.get("update") == "roll" or _launched_by_id(member)):
        wanted = list(IMAGES)[-1]
    if isinstance(wanted, str) and wanted != member.image:
        yield "image"
    if raw.get("key_name") != member.key:
        yield "key_name"
    if isinstance(raw.get("subnets"), list) and member.subnet not in raw["subnets"]:
        yield "subnets"
    if member.zone not in raw.get("availability_zones", [member.zone]):
        yield "availability_zones"
    if raw.get("tenancy", member.tenancy) != member.tenancy:
        yield "tenancy"
    disks = disks_of(member)
    root = disks.pop(ROOT)
    if root["VolumeSize"] > raw.get("root_volume", {}).get("size_gb", root["VolumeSize"]):
        yield "root_volume"
    if {volume["device"] for volume in raw.get("volumes", ())} - disks.keys():
        yield "volumes"
    if raw.get("associate_public_ip", member.public_ip) != member.public_ip:
        yield "associate_public_ip"


def _has_disk(disk: Mapping[str, Any], raw: Spec) -> bool:
    """Whether a volume is as large as it should be at least, and of the type."""
    size, kind = disk["VolumeSize"], disk["VolumeType"]
    return bool(size >= raw.get("size_gb", size) and kind == raw.get("type", kind))


class Tally:
    """How many members of each fleet there are, and run, at worst while a spec is applied."""

    def __init__(self, spec: Spec, before: Picture) -> None:
        self._fleets = spec.get("fleets", {})
        self._was = {key: before.members(key) for key in self._fleets}
        self.most = {key: len(members) for key, members in self._was.items()}
        self.least = {key: _running(members.values()) for key, members in self._was.items()}

    def look(self, machines: Iterable[Machine]) -> None:
        """What there is now, after a call."""
        members: dict[str | None, list[Machine]] = {}
        for one in machines:
            if one.is_live:
                members.setdefault(fleet_of(one), []).append(one)
        for key in self._fleets:
            here = members.get(key, [])
            self.most[key] = max(self.most[key], len(here))
            self.least[key] = min(self.least[key], _running(here))

    def check(self) -> None:
        """No more than `max_unavailable` were down because of the program, and none were launched in vain."""
        for key, raw in self._fleets.items():
            was = self._was[key]
            may_be_down = _most_unavailable(raw)
            wanted = max(raw["count"], len(was))
            is_first = raw.get("update", {}).get("order", "launch_first") == "launch_first"
            assert self.most[key] <= wanted + (may_be_down if is_first else 0), f"{self.most[key]} of {key}"
            if len(was) <= raw["count"] and raw.get("power", "running") == "running":
                least = min(_running(was.values()), raw["count"] - may_be_down)
                assert self.least[key] >= least, f"{self.least[key]} of {key} were running"


def _most_unavailable(raw: Spec) -> int:
    most = raw.get("update", {}).get("max_unavailable", "10%")
    return most if isinstance(most, int) else max(1, raw["count"] * int(most.rstrip("%")) // 100)


def _running(members: Iterable[Machine]) -> int:
    return sum(member.state == "running" for member in members)
