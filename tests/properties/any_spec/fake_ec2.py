"""Instances in memory. Sources: the EC2 API Reference of each operation, "Ensuring idempotency in Amazon EC2
API requests", "Amazon EC2 instance state changes"."""

# Parameters are called as AWS calls them.
# ruff: noqa: N803

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.properties.any_spec.connection import Time
from tests.properties.any_spec.fake_iam import Iam, Profile
from tests.properties.any_spec.fake_parts import (
    GROUPS,
    IMAGES,
    KEYS,
    METADATA,
    REGION,
    SUBNETS,
    TYPES,
    WITHOUT_SPOT,
    WITHOUT_TYPES,
    Fault,
    Machine,
    check_tags,
    disks_of,
    passes,
    tags_in,
    view_of,
    volume_id,
    volumes_of,
)

STOPPED_ONLY = ("InstanceType", "EbsOptimized", "UserData")


class Machines:
    """The instances of one region. `slow` is how many seconds every change of state takes."""

    def __init__(self, iam: Iam, time: Time) -> None:
        self.iam = iam
        self.time = time
        self.today = datetime.now(UTC).replace(microsecond=0)
        self.slow = 0.0
        self.machines: dict[str, Machine] = {}
        # The last modification of each volume that was ever modified.
        self.modified: dict[str, dict[str, Any]] = {}
        self.subnet_tags: dict[str, dict[str, str]] = {subnet: {} for subnet in SUBNETS}
        self.tokens: dict[tuple[str, str], tuple[str, list[str]]] = {}

    # --- time

    def settle(self) -> None:
        for machine in self.machines.values():
            if machine.next and machine.due <= self.time.now:
                machine.state, machine.next = machine.next, ""
                machine.checked = machine.due + self.slow
                if machine.state == "terminated":
                    machine.profile = machine.association = None

    def _become(self, machine: Machine, through: str, to: str) -> None:
        machine.state, machine.next = through, to
        machine.due = self.time.now + self.slow

    def let_pass(self, hours: int) -> None:
        """All that is terminated is forgotten; what lives was launched that much longer ago."""
        self.machines = {
            machine.id: machine for machine in self.machines.values() if machine.state != "terminated"
        }
        for machine in self.machines.values():
            machine.launched -= timedelta(hours=hours)

    def machine(self, identifier: str) -> Machine:
        if identifier not in self.machines:
            text = f"The instance ID '{identifier}' does not exist"
            raise Fault("InvalidInstanceID.NotFound", text)
        return self.machines[identifier]

    def add_stranger(self, identifier: str, tags: dict[str, str]) -> None:
        """Runs an instance that nobody's spec owns."""
        subnet, zone = next(iter(SUBNETS.items()))
        self.machines[identifier] = Machine(
            identifier, zone, subnet, self.today - timedelta(days=7), TYPES[0], next(iter(IMAGES)), tags
        )

    # --- launching

    def run_instances(
        self,
        ImageId: str,
        InstanceType: str,
        MinCount: int,
        MaxCount: int,
        ClientToken: str,
        Placement: Mapping[str, str],
        Monitoring: Mapping[str, bool],
        MetadataOptions: Mapping[str, Any],
        TagSpecifications: list[dict[str, Any]],
        InstanceInitiatedShutdownBehavior: str = "stop",
        SubnetId: str | None = None,
        SecurityGroupIds: tuple[str, ...] = (),
        NetworkInterfaces: tuple[dict[str, Any], ...] = (),
        IamInstanceProfile: Mapping[str, str] | None = None,
        KeyName: str | None = None,
        UserData: str | bytes = "",
        EbsOptimized: bool = False,
        BlockDeviceMappings: tuple[dict[str, Any], ...] = (),
        DisableApiTermination: bool = False,
        InstanceMarketOptions: Mapping[str, Any] | None = None,
        DryRun: bool = False,
    ) -> dict[str, Any]:
        unasked = ("self", "ClientToken", "DryRun")
        asked = {name: value for name, value in locals().items() if name not in (*unasked, "unasked")}
        (interface,) = NetworkInterfaces or ({"SubnetId": SubnetId, "Groups": SecurityGroupIds},)
        assert interface.keys() <= {"DeviceIndex", "SubnetId", "AssociatePublicIpAddress", "Groups"}
        subnet = interface["SubnetId"]
        zone = SUBNETS.get(subnet)
        if zone is None:
            raise Fault("InvalidSubnetID.NotFound", f"The subnet ID '{subnet}' does not exist")
        if Placement["AvailabilityZone"] != zone or (NetworkInterfaces and (SubnetId or SecurityGroupIds)):
            raise Fault(
                "InvalidParameterCombination", "zone, subnet, groups and interface do not fit together"
            )
        self._check_launch(ImageId, InstanceType, zone, KeyName, interface.get("Groups", ()))
        if not 1 <= MinCount <= MaxCount or len(ClientToken) > 64:
            raise Fault("InvalidParameterValue", "counts or token")
        profile = self._profile(IamInstanceProfile) if IamInstanceProfile else None
        digest = hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()
        if DryRun:
            raise Fault("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
        if (zone, ClientToken) in self.tokens:
            return _reservation(self._replayed(zone, ClientToken, digest))
        if InstanceMarketOptions:
            _check_spot(InstanceMarketOptions, InstanceType, InstanceInitiatedShutdownBehavior)
            assert not DisableApiTermination
        tags = {
            specification["ResourceType"]: tags_in(specification["Tags"])
            for specification in TagSpecifications
        }
        assert tags.keys() <= {"instance", "volume"}
        check_tags(tags["instance"])
        launched = []
        for number in range(MaxCount):
            identifier = "i-" + hashlib.sha256(f"{zone} {ClientToken} {number}".encode()).hexdigest()[:17]
            machine = Machine(
                id=identifier,
                zone=zone,
                subnet=subnet,
                launched=self.today,
                type=InstanceType,
                image=ImageId,
                tags=dict(tags["instance"]),
                token=ClientToken,
                launched_for=tags["instance"].get("provisioner:fleet"),
                key=KeyName,
                groups=tuple(interface.get("Groups", ())) or (next(iter(GROUPS)),),
                metadata=METADATA | dict(MetadataOptions),
                monitoring=Monitoring["Enabled"],
                ebs_optimized=EbsOptimized,
                tenancy=Placement.get("Tenancy", "default"),
                protected=DisableApiTermination,
                shutdown=InstanceInitiatedShutdownBehavior,
                user_data=UserData.decode() if isinstance(UserData, bytes) else UserData,
                devices=list(BlockDeviceMappings),
                volume_tags=dict(tags.get("volume", {})),
                public_ip=interface.get("AssociatePublicIpAddress"),
                market="spot" if InstanceMarketOptions else "on_demand",
            )
            self._become(machine, "pending", "running")
            if profile:
                _bind(machine, profile)
            self.machines[identifier] = machine
            launched.append(machine)
        self.tokens[zone, ClientToken] = digest, [machine.id for machine in launched]
        return _reservation(launched)

    def _replayed(self, zone: str, token: str, digest: str) -> list[Machine]:
        before, ids = self.tokens[zone, token]
        if before != digest:
            text = "Arguments on this idempotent request are inconsistent with those of previous request(s)."
            raise Fault("IdempotentParameterMismatch", text)
        machines = [self.machines[identifier] for identifier in ids if identifier in self.machines]
        if not any(machine.is_live for machine in machines):
            raise Fault("IdempotentInstanceTerminated", "The instances of this token have been terminated.")
        return machines

    def _check_launch(self, image: str, kind: str, zone: str, key: str | None, groups: Any) -> None:
        if image not in IMAGES:
            raise Fault("InvalidAMIID.NotFound", f"The image id '[{image}]' does not exist")
        if kind not in TYPES or zone == WITHOUT_TYPES:
            raise Fault("Unsupported", f"{kind} is not supported in {zone}.")
        if key and key not in KEYS:
            raise Fault("InvalidKeyPair.NotFound", f"The key pair '{key}' does not exist")
        _check_groups(groups)

    def _profile(self, given: Mapping[str, str]) -> Profile:
        found = self.iam.profiles.get(given["Name"].lower())
        subject = f"Value ({given['Name']}) for parameter iamInstanceProfile.name is invalid."
        if found is None:
            raise Fault("InvalidParameterValue", f"{subject} Invalid IAM Instance Profile name")
        if not found.role:
            raise Fault(
                "InvalidParameterValue", f"{subject} IAM Instance Profile has no associated IAM Roles"
            )
        return found

    # --- looking

    def describe_instances(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        found = [machine for machine in self.machines.values() if passes(view_of(machine), Filters)]
        return {"Reservations": [{"Instances": [view_of(machine)]} for machine in found]}

    def describe_regions(self) -> dict[str, Any]:
        """One: nobody is elsewhere."""
        return {"Regions": [{"RegionName": REGION}]}

    def describe_volumes(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        """Of those that live: the volumes of the others have gone with them."""
        live = [machine for machine in self.machines.values() if machine.is_live]
        rows = [row for machine in live for row in volumes_of(machine)]
        return {"Volumes": [row for row in rows if passes(row, Filters)]}

    def describe_volumes_modifications(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        (asked,) = Filters
        return {
            "VolumesModifications": [
                self.modified[volume] for volume in asked["Values"] if volume in self.modified
            ]
        }

    def describe_iam_instance_profile_associations(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        rows = [_association(machine) for machine in self.machines.values() if machine.association]
        return {"IamInstanceProfileAssociations": [row for row in rows if passes(row, Filters)]}

    def describe_instance_status(self, InstanceIds: list[str]) -> dict[str, Any]:
        """Of those that run."""
        running = [one for one in map(self.machine, InstanceIds) if one.state == "running"]
        return {"InstanceStatuses": [self._status(machine) for machine in running]}

    def _status(self, machine: Machine) -> dict[str, Any]:
        both = {"Status": "ok" if machine.checked <= self.time.now else "initializing"}
        return {"InstanceId": machine.id, "InstanceStatus": both, "SystemStatus": both}

    # --- changing

    def create_tags(self, Resources: list[str], Tags: Any) -> None:
        for tags in [self._tags(resource) for resource in Resources]:
            check_tags(tags | tags_in(Tags))
            tags.update(tags_in(Tags))

    def delete_tags(self, Resources: list[str], Tags: list[dict[str, str]]) -> None:
        for tags in [self._tags(resource) for resource in Resources]:
            for tag in Tags:
                if tag.get("Value") in (None, tags.get(tag["Key"])):
                    tags.pop(tag["Key"], None)

    def _tags(self, resource: str) -> dict[str, str]:
        if resource in self.subnet_tags:
            return self.subnet_tags[resource]
        if resource.startswith("vol-"):
            return next(
                machine.volume_tags
                for machine in self.machines.values()
                if resource in {row["VolumeId"] for row in volumes_of(machine)}
            )
        return self.machine(resource).tags

    def terminate_instances(self, InstanceIds: list[str]) -> None:
        machines = [self.machine(identifier) for identifier in InstanceIds]
        guarded = {machine.zone: machine.id for machine in machines if machine.is_live and machine.protected}
        for machine in machines:
            if machine.zone not in guarded and machine.is_live:
                machine.subnet, machine.groups = "", ()
                self._become(machine, "shutting-down", "terminated")
        if guarded:
            text = f"The instance '{min(guarded.values())}' may not be terminated."
            raise Fault("OperationNotPermitted", text)

    def stop_instances(self, InstanceIds: list[str]) -> None:
        machines = [self.machine(identifier) for identifier in InstanceIds]
        for machine in machines:
            if machine.state not in ("running", "stopping", "stopped"):
                raise Fault("IncorrectInstanceState", f"{machine.id} is {machine.state}")
            if machine.market == "spot":
                text = (
                    f"You can't stop the Spot Instance '{machine.id}', of a one-time Spot Instance request."
                )
                raise Fault("UnsupportedOperation", text)
        for machine in machines:
            if machine.state == "running":
                self._become(machine, "stopping", "stopped")

    def start_instances(self, InstanceIds: list[str]) -> None:
        machines = [self.machine(identifier) for identifier in InstanceIds]
        for machine in machines:
            if machine.state not in ("stopped", "pending", "running"):
                raise Fault("IncorrectInstanceState", f"{machine.id} is {machine.state}")
        for machine in machines:
            if machine.state == "stopped":
                machine.boots += 1
                self._become(machine, "pending", "running")

    def modify_volume(self, VolumeId: str, **changed: Any) -> None:
        """At once, and as often as anybody likes. No volume gets smaller."""
        machine, device = next(
            (machine, device)
            for machine in self.machines.values()
            for device in disks_of(machine)
            if volume_id(machine, device) == VolumeId
        )
        disk = disks_of(machine)[device]
        new = {"VolumeSize" if name == "Size" else name: value for name, value in changed.items()}
        assert new.keys() <= {"VolumeSize", "VolumeType"}
        if new.get("VolumeSize", disk["VolumeSize"]) < disk["VolumeSize"]:
            raise Fault("InvalidParameterValue", "New size cannot be smaller than existing size")
        others = [mapping for mapping in machine.devices if mapping["DeviceName"] != device]
        machine.devices = [*others, {"DeviceName": device, "Ebs": {**disk, **new}}]
        target = {f"Target{name}": value for name, value in changed.items()}
        self.modified[VolumeId] = {"VolumeId": VolumeId, "ModificationState": "completed", **target}

    def modify_instance_attribute(self, InstanceId: str, **attribute: Any) -> None:
        machine = self.machine(InstanceId)
        ((name, value),) = attribute.items()
        if not machine.is_live or (name in STOPPED_ONLY and machine.state != "stopped"):
            raise Fault("IncorrectInstanceState", f"{machine.id} is {machine.state}")
        if name == "Groups":
            _check_groups(value)
            machine.groups = tuple(value)
        elif name == "InstanceType":
            assert value["Value"] in TYPES
            machine.type = value["Value"]
        elif name == "EbsOptimized":
            machine.ebs_optimized = value["Value"]
        elif name == "UserData":
            machine.user_data = value["Value"].decode()
        elif name == "DisableApiTermination" and machine.market == "spot":
            text = "Modifying 'disableApiTermination' is not supported for spot instances."
            raise Fault("UnsupportedOperation", text)
        elif name == "DisableApiTermination":
            machine.protected = value["Value"]
        elif name == "InstanceInitiatedShutdownBehavior":
            machine.shutdown = value["Value"]
        else:
            raise AssertionError(f"{name} is not among the attributes of this AWS")

    def modify_instance_metadata_options(self, InstanceId: str, **options: Any) -> None:
        machine = self.machine(InstanceId)
        assert options.keys() <= METADATA.keys()
        if machine.state not in ("running", "stopped"):
            raise Fault("IncorrectInstanceState", f"{machine.id} is {machine.state}")
        machine.metadata.update(options)

    def monitor_instances(self, InstanceIds: list[str]) -> None:
        for machine in [self.machine(identifier) for identifier in InstanceIds]:
            machine.monitoring = True

    def unmonitor_instances(self, InstanceIds: list[str]) -> None:
        for machine in [self.machine(identifier) for identifier in InstanceIds]:
            machine.monitoring = False

    # --- binding profiles

    def associate_iam_instance_profile(
        self, InstanceId: str, IamInstanceProfile: Mapping[str, str]
    ) -> dict[str, Any]:
        profile = self._profile(IamInstanceProfile)
        machine = self.machine(InstanceId)
        if machine.association:
            raise Fault("IncorrectState", f"There is an existing association for instance {machine.id}")
        if machine.state not in ("running", "stopped"):
            raise Fault("IncorrectState", f"{machine.id} is {machine.state}")
        _bind(machine, profile)
        return {"IamInstanceProfileAssociation": _association(machine)}

    def replace_iam_instance_profile_association(
        self, AssociationId: str, IamInstanceProfile: Mapping[str, str]
    ) -> dict[str, Any]:
        profile = self._profile(IamInstanceProfile)
        machine = self._bound(AssociationId)
        if machine.state != "running":
            text = f"The association {AssociationId} is not the active association"
            raise Fault("IncorrectState", text)
        _bind(machine, profile)
        return {"IamInstanceProfileAssociation": _association(machine)}

    def disassociate_iam_instance_profile(self, AssociationId: str) -> None:
        machine = self._bound(AssociationId)
        machine.profile = machine.association = None

    def _bound(self, association: str) -> Machine:
        for machine in self.machines.values():
            if machine.association == association:
                return machine
        text = f"An invalid association-id of '{association}' was given"
        raise Fault("InvalidAssociationID.NotFound", text)


def _bind(machine: Machine, profile: Profile) -> None:
    machine.bindings += 1
    machine.association = f"iip-assoc-{machine.id}-{machine.bindings}"
    machine.profile = profile.arn, profile.id


def _check_spot(options: Mapping[str, Any], kind: str, shutdown: str) -> None:
    """A one-time request, of a type that there is room for."""
    assert options["MarketType"] == "spot"
    assert options["SpotOptions"].items() >= {"SpotInstanceType": "one-time"}.items()
    assert options["SpotOptions"].get("InstanceInterruptionBehavior") == shutdown == "terminate"
    if kind == WITHOUT_SPOT:
        raise Fault("InsufficientInstanceCapacity", f"There is no Spot capacity for {kind}.", 500)


def _check_groups(groups: Any) -> None:
    missing = [group for group in groups if group not in GROUPS]
    if missing:
        raise Fault("InvalidGroup.NotFound", f"The security group '{missing[0]}' does not exist")


def _association(machine: Machine) -> dict[str, Any]:
    arn, identifier = machine.profile or ("", "")
    return {
        "AssociationId": machine.association,
        "InstanceId": machine.id,
        "IamInstanceProfile": {"Arn": arn, "Id": identifier},
        "State": "associated",
    }


def _reservation(machines: list[Machine]) -> dict[str, Any]:
    return {"Instances": [view_of(machine) for machine in machines]}
