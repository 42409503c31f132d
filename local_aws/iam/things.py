"""What a call is authorised on: the ARN of each thing, and the condition keys that tell of it.

Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2"
(https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html) and the same for IAM
(.../list_awsidentityandaccessmanagementiam.html). What does not exist has an ARN and no keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local_aws.call import Call
from local_aws.world import World

Keys = dict[str, str | tuple[str, ...]]

# The actions on roles for which IAM says what boundary the role has.
_TELL_BOUNDARY = frozenset(
    {
        "AttachRolePolicy",
        "DeleteRole",
        "DeleteRolePermissionsBoundary",
        "DeleteRolePolicy",
        "DetachRolePolicy",
        "GetRole",
        "PutRolePolicy",
        "UpdateAssumeRolePolicy",
        "UpdateRole",
        "UpdateRoleDescription",
    }
)


@dataclass(frozen=True)
class Thing:
    """A thing by its type (as the reference names it) and ARN; `tags` it has, `keys` that tell of it."""

    type: str
    arn: str
    tags: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)


class Account:
    """Everything there is, as it can be named by a call."""

    def __init__(self, world: World, call: Call) -> None:
        self.world = world
        self.call = call

    # --- EC2

    def _arn(self, type_: str, name: str, owner: str | None = None) -> str:
        account = self.world.account if owner is None else owner
        return f"arn:{self.world.partition}:ec2:{self.call.region}:{account}:{type_}/{name}"

    @property
    def _backend(self) -> Any:
        return self.world.region(self.call.region).backend

    def _tags(self, id_: str) -> Mapping[str, str]:
        return dict(self._backend.tags[id_]) if id_ in self._backend.tags else {}

    def instance(self, id_: str) -> Thing:
        """An instance."""
        member = self.world.region(self.call.region).members.get(id_)
        if member is None:
            return Thing("instance", self._arn("instance", id_))
        instance = member.instance
        keys = {
            "ec2:InstanceID": id_,
            "ec2:InstanceType": str(instance.instance_type),
            "ec2:AvailabilityZone": member.zone,
            "ec2:Tenancy": member.tenancy,
            "ec2:EbsOptimized": _flag(instance.ebs_optimized),
            "ec2:RootDeviceType": str(instance.root_device_type or "ebs"),
            "ec2:MetadataHttpTokens": str(instance.metadata_options.http_tokens),
        }
        if instance.iam_instance_profile:
            keys["ec2:InstanceProfile"] = str(instance.iam_instance_profile["Arn"])
        return Thing("instance", self._arn("instance", id_), self._tags(id_), keys)

    def volume(self, id_: str) -> Thing:
        """A volume."""
        found = self._backend.volumes.get(id_)
        if found is None:
            return Thing("volume", self._arn("volume", id_))
        keys = {
            "ec2:VolumeID": id_,
            "ec2:VolumeType": str(found.volume_type),
            "ec2:VolumeSize": str(found.size),
            "ec2:AvailabilityZone": str(found.zone.name),
            "ec2:Encrypted": _flag(found.encrypted),
        }
        return Thing("volume", self._arn("volume", id_), self._tags(id_), keys)

    def network_interface(self, id_: str) -> Thing:
        """A network interface."""
        found = self._backend.enis.get(id_)
        keys: Keys = {"ec2:NetworkInterfaceID": id_}
        if found is not None:
            keys |= {
                "ec2:Subnet": self._arn("subnet", found.subnet.id),
                "ec2:Vpc": self._arn("vpc", found.subnet.vpc_id),
                "ec2:AvailabilityZone": str(found.subnet.availability_zone),
            }
        return Thing("network-interface", self._arn("network-interface", id_), self._tags(id_), keys)

    def subnet(self, id_: str) -> Thing:
        """A subnet."""
        zones = self._backend.subnets.values()
        found = next((subnets[id_] for subnets in zones if id_ in subnets), None)
        keys: Keys = {"ec2:SubnetID": id_}
        if found is not None:
            keys |= {
                "ec2:Vpc": self._arn("vpc", found.vpc_id),
                "ec2:AvailabilityZone": str(found.availability_zone),
            }
        return Thing("subnet", self._arn("subnet", id_), self._tags(id_), keys)

    def vpc(self, id_: str) -> Thing:
        """A VPC."""
        return Thing("vpc", self._arn("vpc", id_), self._tags(id_), {"ec2:VpcID": id_})

    def security_group(self, id_: str) -> Thing:
        """A security group."""
        found = self._backend.get_security_group_from_id(id_)
        keys: Keys = {"ec2:SecurityGroupID": id_}
        if found is not None:
            keys["ec2:Vpc"] = self._arn("vpc", found.vpc_id)
        return Thing("security-group", self._arn("security-group", id_), self._tags(id_), keys)

    def group_named(self, name: str) -> Thing:
        """A security group of the default VPC by its name."""
        groups = self._backend.groups.values()
        found = next((group for vpc in groups for group in vpc.values() if group.name == name), None)
        return self.security_group(found.id if found else name)

    def security_group_rule(self, id_: str) -> Thing:
        """A rule of a security group."""
        return Thing("security-group-rule", self._arn("security-group-rule", id_), self._tags(id_))

    def key_pair(self, name: str) -> Thing:
        """A key pair by its name, or by its id."""
        pairs = self._backend.key_pairs
        found = pairs.get(name) or next((pair for pair in pairs.values() if pair.id == name), None)
        if found is None:
            return Thing("key-pair", self._arn("key-pair", name), keys={"ec2:KeyPairName": name})
        arn = self._arn("key-pair", found.key_name)
        return Thing("key-pair", arn, self._tags(found.id), {"ec2:KeyPairName": found.key_name})

    def image(self, id_: str) -> Thing:
        """An image; its ARN has no account, whosever it is."""
        found = self._backend.amis.get(id_)
        arn = self._arn("image", id_, owner="")
        keys: Keys = {"ec2:ImageID": id_}
        if found is not None:
            owner = getattr(found, "owner_alias", None) or found.owner_id
            keys |= {"ec2:Owner": str(owner), "ec2:Public": _flag(found.is_public)}
            keys["ec2:RootDeviceType"] = str(found.root_device_type)
        return Thing("image", arn, self._tags(id_), keys)

    def placement_group(self, name: str) -> Thing:
        """A placement group."""
        keys = {"ec2:PlacementGroupName": name}
        return Thing("placement-group", self._arn("placement-group", name), keys=keys)

    def capacity_reservation(self, id_: str) -> Thing:
        """A Capacity Reservation."""
        return Thing("capacity-reservation", self._arn("capacity-reservation", id_), self._tags(id_))

    def snapshot(self, id_: str) -> Thing:
        """A snapshot; its ARN has no account."""
        arn = self._arn("snapshot", id_, owner="")
        return Thing("snapshot", arn, self._tags(id_), {"ec2:SnapshotID": id_})

    def new(self, type_: str, keys: Mapping[str, str | tuple[str, ...]] | None = None) -> Thing:
        """What the call is to make, whose id is not known yet."""
        return Thing(type_, self._arn(type_, "*"), keys=keys or {})

    def new_key_pair(self, name: str) -> Thing:
        """A key pair that the call is to make, whose name is known."""
        return Thing("key-pair", self._arn("key-pair", name))

    def taggable(self, id_: str) -> Thing:
        """What has this id, by what it begins with."""
        finders = {
            "i": self.instance,
            "vol": self.volume,
            "eni": self.network_interface,
            "subnet": self.subnet,
            "sg": self.security_group,
            "sgr": self.security_group_rule,
            "ami": self.image,
            "vpc": self.vpc,
            "cr": self.capacity_reservation,
            "snap": self.snapshot,
            "key": self.key_pair,
        }
        finder = finders.get(id_.rpartition("-")[0])
        return finder(id_) if finder else Thing("", self._arn("*", id_), self._tags(id_))

    def default_subnet(self) -> str:
        """The id of the subnet that a launch gets which names none."""
        subnets = self._backend.get_default_subnets()
        zone = (self.call.params.get("Placement") or {}).get("AvailabilityZone") or min(subnets, default="")
        return str(subnets[zone].id) if zone in subnets else "*"

    def default_vpc(self) -> str:
        """The id of the default VPC."""
        vpc = self._backend.default_vpc
        return str(vpc.id) if vpc else "*"

    def default_groups(self, subnet: Thing) -> list[str]:
        """The default security group of a subnet's VPC."""
        vpc = str(subnet.keys.get("ec2:Vpc", "")).rsplit("/", 1)[-1]
        groups = self._backend.groups.get(vpc, {}).values()
        return [str(group.id) for group in groups if group.name == "default"]

    def of_association(self, id_: str) -> Thing:
        """The instance of an association of a profile."""
        found = self.world.region(self.call.region).associations.get(id_)
        return self.instance(found.instance_id if found else "*")

    # --- IAM

    def _iam(self, type_: str, path: str, name: str) -> str:
        return f"arn:{self.world.partition}:iam::{self.world.account}:{type_}{path}{name}"

    def role(self, name: str) -> Thing:
        """A role. `name` in whatever case."""
        found = _named(self.world.iam.roles.values(), name)
        if found is None:
            return Thing("role", self._iam("role", "/", name))
        boundary = found.permissions_boundary_arn if self.call.operation in _TELL_BOUNDARY else None
        keys = {"iam:PermissionsBoundary": str(boundary)} if boundary else {}
        return Thing("role", str(found.arn), tags_of(found.tags), keys)

    def profile(self, name: str) -> Thing:
        """An instance profile."""
        found = _named(self.world.iam.instance_profiles.values(), name)
        if found is None:
            return Thing("instance-profile", self._iam("instance-profile", "/", name))
        return Thing("instance-profile", str(found.arn), tags_of(found.tags))

    def user(self, name: str) -> Thing:
        """A user."""
        found = _named(self.world.iam.users.values(), name)
        return Thing("user", str(found.arn) if found else self._iam("user", "/", name))

    def group(self, name: str) -> Thing:
        """A group of users."""
        found = _named(self.world.iam.groups.values(), name)
        return Thing("group", str(found.arn) if found else self._iam("group", "/", name))

    def principal(self, arn: str) -> Thing:
        """A user, a group or a role by its ARN."""
        return Thing(arn.split(":", 5)[-1].partition("/")[0], arn)

    def policy(self, arn: str) -> Thing:
        """A managed policy."""
        return Thing("policy", arn)

    def new_of_iam(self, type_: str, name: str) -> Thing:
        """What the call is to make, at the path that it says."""
        path = str(self.call.params.get("Path") or "/")
        boundary = self.call.params.get("PermissionsBoundary")
        keys = {"iam:PermissionsBoundary": str(boundary)} if boundary else {}
        return Thing(type_, self._iam(type_, path, name), keys=keys)

    def role_in(self, profile: Mapping[str, Any] | None) -> Thing | None:
        """The role in an instance profile that is given by name or ARN."""
        name = str((profile or {}).get("Name") or (profile or {}).get("Arn") or "").rsplit("/", 1)[-1]
        found = _named(self.world.iam.instance_profiles.values(), name)
        return self.role(found.roles[0].name) if found and found.roles else None

    def profile_arn(self, profile: Mapping[str, Any] | None) -> str | None:
        """The ARN of an instance profile that is given by name or ARN."""
        if not profile:
            return None
        name = str(profile.get("Name") or profile.get("Arn") or "").rsplit("/", 1)[-1]
        return self.profile(name).arn

    # --- SSM

    def parameter(self, name: str) -> Thing:
        """A parameter; those of AWS have no account."""
        path = name.split(":")[0].lstrip("/")
        account = "" if path.startswith("aws/") else self.world.account
        arn = f"arn:{self.world.partition}:ssm:{self.call.region}:{account}:parameter/{path}"
        return Thing("parameter", arn)


def _named(things: Iterable[Any], name: str) -> Any:
    return next((thing for thing in things if thing.name.lower() == name.lower()), None)


def tags_of(tags: Any) -> dict[str, str]:
    """The tags of a thing of IAM. moto has them as a list, or as a mapping, also of its own kind."""
    if isinstance(tags, Mapping):
        return {key: tag["Value"] if isinstance(tag, Mapping) else tag for key, tag in tags.items()}
    return {tag["Key"]: tag["Value"] for tag in tags or ()}


def _flag(value: Any) -> str:
    return "true" if str(value).lower() == "true" else "false"
