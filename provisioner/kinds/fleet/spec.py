"""A fleet as a spec asks for it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import field, fields
from typing import Any

from provisioner.expiry.times import Expiry, stamp
from provisioner.kinds.expiry import End
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Address, Output
from provisioner.naming import EXPIRES_TAG, LIFETIME_TAG

ROOT_VOLUME, VOLUMES = "root_volume", "volumes"
ON_DEMAND, SPOT = "on_demand", "spot"
# When a member is ready, the least first.
RUNNING, STATUS_OK, CLOUD_INIT = READINESS = ("running", "status_ok", "cloud_init")

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
    """How members are restarted and replaced; `max_unavailable` is a number of members.

    `healthy` is at least what the fleet says by `ready`.
    """

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
    """A fleet. `tags` are those that every member has but for its name. None: AWS chooses.

    `expires` is what it or the environment says of its end, `own_end` that it does so itself. What follows
    once it is known what there is: the `end`, whether it `is_over`, and whether something of the environment
    outlives the members and so remembers it.

    `key_pair` is the address of the spec's own key pair that `key_name` names. Once `with_key_pair` has
    looked it up, `key_name` is its name in AWS, and `key_mark` tells the key.

    `own_groups` are those of `security_groups` that are keys of the spec's own. Once `with_references` has
    looked them up, `own_ids` and `own_vpcs` have their ids, or what stands for those, and their VPCs, and
    `keys_of_groups` are those that it might have named.
    """

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
    ready: str = RUNNING
    written: Mapping[str, Any] = field(default_factory=dict)
    ignore_changes: frozenset[str] = frozenset()
    keep: bool | None = None
    expires: Expiry | None = None
    own_end: bool = False
    end: End | None = None
    is_over: bool = False
    is_outlived: bool = False
    key_pair: Address | None = None
    key_mark: str | None = None
    own_groups: frozenset[str] = frozenset()
    own_ids: Mapping[str, str | Output] = field(default_factory=dict)
    own_vpcs: Mapping[str, str | None] = field(default_factory=dict)
    keys_of_groups: tuple[str, ...] = ()

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
        if not self.ignore_changes:
            return False
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
        return tuple(
            CapacityOption(type_, market) for market in self.markets for type_ in self.instance_types
        )

    def told(self, option: CapacityOption) -> str:
        """One of these in words. The market is told where there is more than one."""
        if len(self.markets) == 1:
            return str(option)
        return f"{option.type} ({option.market.replace('_', ' ')})"

    @property
    def uses(self) -> frozenset[Address]:
        groups = (Address("security_group", key) for key in self.own_groups)
        return frozenset(address for address in (self.profile, self.key_pair, *groups) if address)

    @property
    def volume_tags(self) -> dict[str, str]:
        """The tags of the volumes of members: without those of their end, as volumes may outlive members."""
        return {key: value for key, value in self.tags.items() if key not in (EXPIRES_TAG, LIFETIME_TAG)}

    @property
    def is_indexed(self) -> bool:
        """Whether each member has a number in its name."""
        return self.member_name(1) != self.name

    @property
    def other_groups(self) -> tuple[str, ...]:
        """Those of its security groups that the spec does not make, by id or by name."""
        return tuple(group for group in self.security_groups if group not in self.own_groups)

    @property
    def wanted_groups(self) -> dict[str | Output, str]:
        """Its security groups as the spec has them, by their ids where the spec makes them."""
        return {self.own_ids.get(group, group): group for group in sorted(self.security_groups)}

    def group_ids(self, known: Mapping[str, str]) -> list[str | Output]:
        """The ids of its security groups, each once; `known` maps those of others, as the spec has them."""
        ids = {**known, **self.own_ids}
        return list(dict.fromkeys(ids[group] for group in self.security_groups))

    def as_data(self) -> dict[str, Any]:
        """Its fields as in the spec, absent ones too; of user data the size and a digest."""
        digest = hashlib.sha256(self.user_data).hexdigest()
        metadata = {
            "http_tokens": self.http_tokens,
            "http_endpoint": self.http_endpoint,
            "hop_limit": self.hop_limit,
            "instance_tags": self.instance_tags,
        }
        return {
            **self.written,
            "count": self.count,
            "name": self.name,
            "instance_profile": self.profile.key if self.profile else None,
            "image": _said(self.image),
            "instance_type": self.instance_types,
            "security_groups": self.security_groups,
            "key_name": self.key_name,
            "user_data": {"bytes": len(self.user_data), "sha256": digest} if self.user_data else None,
            "root_volume": _all_of(self.root_volume) if self.root_volume else None,
            "volumes": tuple(_all_of(volume) for volume in self.volumes),
            "metadata": {**self.written.get("metadata", {}), **metadata},
            "monitoring": self.monitoring,
            "ebs_optimized": self.ebs_optimized,
            "termination_protection": self.termination_protection,
            "shutdown_behavior": self.shutdown_behavior,
            "associate_public_ip": self.associate_public_ip,
            "tenancy": self.tenancy,
            "tags": self.tags,
            "power": self.power,
            "market": self.market,
            "max_price": self.max_price,
            "fallback": self.fallback,
            "rebalance": self.rebalance,
            "keep": self.keep,
            "expires": self._ends(),
            "ready": self.ready,
        }

    def _ends(self) -> str | None:
        """When it ends, in UTC; of a duration that has not begun, how long after its first launch."""
        if self.end and self.end.at:
            return stamp(self.end.at)
        return f"{self.expires.written} from the first launch" if self.expires else None

    def member_name(self, index: int) -> str:
        """The Name tag of the member with this number."""
        return self.name.format(index=index)


def as_fields(volume: Volume) -> dict[str, Any]:
    """What a volume says, without what it leaves to AWS."""
    said = {field.name: getattr(volume, field.name) for field in fields(volume)}
    return {name: value for name, value in said.items() if value is not None}


def keys_hidden_from_metadata(keys: Iterable[str]) -> list[str]:
    """The tag keys that the metadata service cannot serve, so that EC2 refuses to show tags there.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/work-with-tags-in-IMDS.html
    """
    return sorted(key for key in keys if not _KEY_IN_METADATA.fullmatch(key))


def _all_of(value: Volume | Image) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _said(image: Image) -> dict[str, Any]:
    """Where the image comes from, without the ways that it does not."""
    return {name: value for name, value in _all_of(image).items() if value is not None}
