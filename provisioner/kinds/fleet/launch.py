"""Launching exactly once. The token of a launch is derived from what was observed.

RunInstances is the only call here that can make two of something. The launches of a fleet in one subnet are
numbered, and the ClientToken of each ends in its number. Whoever plans a launch takes the number after the
highest that EC2 shows. So the same plan launches once however often it is sent, and a plan made from an older
view of the fleet gets the launch that it did not know of, or a mismatch:
https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from provisioner.errors import AwsError, ChangedMeanwhile, Unsettled
from provisioner.kinds.fleet.desired import Fleet, Volume
from provisioner.kinds.fleet.members import indexes
from provisioner.kinds.fleet.seen import PartlySeen, Subnet, Surroundings, answered_launches, is_of, scope_of
from provisioner.kinds.fleet.settings import launch_record, write_record
from provisioner.kinds.iam import tag_list
from provisioner.kinds.instances import Instance, as_instance
from provisioner.model import Call, CallCount, Hands, Until, Wait, count_calls
from provisioner.naming import ASKED_TAG, FLEET_TAG, INDEX_TAG, LAUNCH_TAG
from provisioner.retry import CAPACITY_CODES

# A token is remembered for at least a day after its instances were terminated, so a fleet that is made and
# destroyed over and over needs as many numbers as that happens within a day.
MOST_USED_UP = 100

# One request takes no more than a bucket of 1000 instances that the whole account shares, and EC2 advises to
# break up large ones: https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
MOST_AT_ONCE = 500

# How long a launch with the same token and other parameters may take to show before it is one of long ago.
# https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html speaks of up to five minutes.
LONGEST_MISMATCH_S = 300.0


@dataclass(frozen=True)
class Slot:
    """Where launches are numbered: one subnet of a fleet."""

    environment: str
    fleet: str
    zone: str
    subnet: str


def token(slot: Slot, epoch: str, instance_type: str, number: int) -> str:
    """The ClientToken. `epoch` is the profile's id, new after destroy and apply, or empty.

    How many are asked for is not part of it: two who ask for different numbers must not both get them.
    """
    return f"{_place(slot, epoch)}-{_digest(instance_type)[:8]}-{number}"


def next_number(slot: Slot, epoch: str, visible: Iterable[Instance]) -> int:
    """The number after the highest of the launches that EC2 shows; terminated members count as well."""
    place = _place(slot, epoch)
    tokens = (instance.token or "" for instance in visible)
    return 1 + max((int(each.rsplit("-", 1)[1]) for each in tokens if each.startswith(place)), default=-1)


def _place(slot: Slot, epoch: str) -> str:
    return _digest(slot.environment, slot.fleet, epoch, slot.zone, slot.subnet)[:40]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@dataclass(frozen=True)
class Launch:
    """Launch `count` members in one subnet, of the first of `types` that there is capacity for.

    `number` is the first that may be free; `epoch` is None while the profile does not exist yet, and then
    this run creates it.
    """

    slot: Slot
    number: int
    count: int
    types: tuple[str, ...]
    profile: str | None
    epoch: str | None
    params: Mapping[str, Any]

    def calls(self) -> Iterable[CallCount]:
        return (CallCount("ec2", "RunInstances", -(-self.count // MOST_AT_ONCE)),)

    def run(self, hands: Hands) -> None:
        epoch = self.epoch if self.epoch is not None else _new_profile(self.profile, hands)
        number, missing, types = self.number, self.count, list(self.types)
        while types:
            asked = min(missing, MOST_AT_ONCE)
            try:
                number, got = self._launch(hands, epoch, types[0], asked, number)
            except AwsError as error:
                if error.code not in CAPACITY_CODES or (len(types) == 1 and missing == self.count):
                    raise
                got = []
            missing -= len(got)
            if not missing:
                return
            if len(got) < asked:
                types.pop(0)
            if got and types:
                # Were a later launch shown before this one, this one's members would be launched again.
                self._wait_for(got, hands)
        raise AwsError(
            "ec2",
            "RunInstances",
            "InsufficientInstanceCapacity",
            f"{self.slot.zone} had room for {self.count - missing} of {self.count} "
            f"of {', '.join(self.types)}; those were kept",
            hint="apply again later, or give `instance_type` a list, or more subnets",
        )

    def _launch(
        self, hands: Hands, epoch: str, instance_type: str, count: int, number: int
    ) -> tuple[int, list[Instance]]:
        """The first launch from `number` on whose token is not used up: the number after it, and all it got.

        A token is used up when it belongs to a launch of long ago, or all its members are gone. The numbers
        are tried in order, so that it is the same one also for whoever comes after a crash.
        """
        for used_up in range(MOST_USED_UP):
            name = token(self.slot, epoch, instance_type, number + used_up)
            try:
                answer = hands.send(run_instances(self.params, instance_type, count, name))
            except AwsError as error:
                if error.code == "IdempotentInstanceTerminated":
                    continue
                if error.code != "IdempotentParameterMismatch" or not self._is_of_long_ago(name, hands):
                    raise
                continue
            members = [each for each in map(as_instance, answer["Instances"]) if self._is_member(each)]
            if members and len(members) < len(answer["Instances"]):
                raise ChangedMeanwhile("some members of an earlier launch are gone already")
            if members:
                return number + used_up + 1, members
        raise AwsError(
            "ec2", "RunInstances", "IdempotentInstanceTerminated", "all tokens of this launch are used up"
        )

    def _is_member(self, instance: Instance) -> bool:
        """Whether what a token stands for lives, and nobody has taken our tags off it.

        They are set with the launch; so whatever shows other tags but not these had them once.
        """
        tags_are_ours = is_of(instance, self.slot.environment) and instance.tag(FLEET_TAG) == self.slot.fleet
        return instance.is_live and (tags_are_ours or not instance.tags)

    def _is_of_long_ago(self, name: str, hands: Hands) -> bool:
        """Whether a launch with other parameters that had this token is past, and not about to show.

        It shows within minutes or not at all; while it may, the caller has to look again. EC2 remembers a
        token also for a launch that failed for want of capacity.
        """
        if hands.seconds_since(f"token {name}") < LONGEST_MISMATCH_S:
            return False
        asked = {"Filters": [{"Name": "client-token", "Values": [name]}]}
        found = hands.send(Call("ec2", "DescribeInstances", asked))["Reservations"]
        return not any(self._is_member(as_instance(raw)) for each in found for raw in each["Instances"])

    def _wait_for(self, got: Iterable[Instance], hands: Hands) -> None:
        ids = tuple(each.id for each in got)
        hands.wait(Wait(ids, Until.RUNNING, (scope_of(self.slot.environment),)))


def run_instances(params: Mapping[str, Any], instance_type: str, count: int, name: str) -> Call:
    """The call that launches up to `count` members, once for the token `name`.

    The number asked for is written on each of them, so that whoever sees fewer knows that there are more.
    """
    tags = [
        {**spec, "Tags": [*spec["Tags"], {"Key": ASKED_TAG, "Value": str(count)}]}
        if spec["ResourceType"] == "instance"
        else spec
        for spec in params["TagSpecifications"]
    ]
    counted = {"InstanceType": instance_type, "MinCount": 1, "MaxCount": count, "ClientToken": name}
    return Call("ec2", "RunInstances", {**params, "TagSpecifications": tags, **counted})


@dataclass(frozen=True)
class Settle:
    """Ask again what a launch has got of which EC2 shows only a part, then have everything looked at again.

    Replaying a token launches nothing: EC2 answers with the instances that it got. `replays` are the calls
    with the parameters that the launch had if the spec has not changed since; if it has, time must tell.
    """

    replays: tuple[Call, ...]
    unseen: int

    def calls(self) -> Iterable[CallCount]:
        return count_calls(self.replays)

    def run(self, hands: Hands) -> None:
        for replay in self.replays:
            try:
                hands.send(replay)
            except AwsError as error:
                if error.code not in ("IdempotentParameterMismatch", "IdempotentInstanceTerminated"):
                    raise
        raise Unsettled(f"{self.unseen} launched members are not shown by EC2 yet")


def settle(
    fleet: Fleet | None, profile: str | None, surroundings: Surroundings, partly: Iterable[PartlySeen]
) -> Settle:
    """The step that finds out about launches seen in part. `fleet`: as the spec has it, or None."""
    replays = []
    unseen = 0
    for launch in partly:
        first = launch.shown[0]
        unseen += launch.asked - len(launch.shown)
        lives = next((each for each in launch.shown if each.subnet and each.vpc), None)
        if fleet and lives and lives.subnet and lives.vpc:
            around = replace(
                surroundings,
                image=lives.image,
                groups={name: group for group, name in (lives.groups or {}).items()}
                | {group: group for group in lives.groups or {}},
            )
            if all(group in around.groups for group in fleet.security_groups):
                subnet = Subnet(lives.subnet, first.zone, lives.vpc)
                params = launch_params(fleet, profile, around, subnet)
                replays.append(run_instances(params, first.type, launch.asked, launch.token))
    return Settle(tuple(replays), unseen)


@dataclass(frozen=True)
class ScaleOut:
    """All launches of a fleet side by side, then the new members' names, then the wait until they run."""

    launches: tuple[Launch, ...]
    fleet: Fleet
    environment: str
    members: tuple[Instance, ...]

    def calls(self) -> Iterable[CallCount]:
        named = CallCount("ec2", "CreateTags", sum(launch.count for launch in self.launches))
        return (*count_calls(self.launches), *([named] if self.fleet.is_indexed else ()))

    def run(self, hands: Hands) -> None:
        known = {member.id for member in self.members}
        # What this run has launched before is among the members, though maybe not shown yet. Were the next
        # launch shown first, whoever looks then would launch these again.
        self._wait_for([each for each in self._answered(hands) if each.id in known], hands)
        try:
            hands.together(self.launches)
        finally:
            new = [each for each in self._answered(hands) if each.id not in known]
            if new and self.fleet.is_indexed:
                # Members that are there may be getting their own numbers at this very moment.
                numbers = indexes(new, beside=self.members)
                hands.together(name_call(self.fleet, each.id, numbers[each.id]) for each in new)
        self._look_for_others(self._wait_for(new, hands), known | {each.id for each in new})

    def _wait_for(self, instances: Sequence[Instance], hands: Hands) -> Mapping[str, Instance]:
        ids = tuple(each.id for each in instances)
        return hands.wait(Wait(ids, Until.RUNNING, (scope_of(self.environment),))) if ids else {}

    def _look_for_others(self, seen: Mapping[str, Instance], expected: Collection[str]) -> None:
        live = {each.id for each in seen.values() if each.is_live and each.tag(FLEET_TAG) == self.fleet.key}
        others = sorted(live - set(expected))
        if others and len(live) > self.fleet.count:
            raise ChangedMeanwhile(f"somebody else has launched {', '.join(others)} into this fleet")

    def _answered(self, hands: Hands) -> list[Instance]:
        """The members that this run was told of by its launches."""
        launched = answered_launches(hands.answers("RunInstances"))
        return [
            each
            for instances in launched.values()
            for each in instances
            if is_of(each, self.environment) and each.tag(FLEET_TAG) == self.fleet.key and each.is_live
        ]


def name_call(fleet: Fleet, instance: str, index: int) -> Call:
    """The call that gives a member its number and its name."""
    tags = {"Name": fleet.member_name(index), INDEX_TAG: str(index)}
    return Call("ec2", "CreateTags", {"Resources": [instance], "Tags": tag_list(tags)})


def launches(
    fleet: Fleet,
    environment: str,
    profile: str | None,
    epoch: str | None,
    surroundings: Surroundings,
    shares: Mapping[Subnet, int],
    visible: Iterable[Instance],
) -> tuple[Launch, ...]:
    """One launch a subnet. `visible` are all members that EC2 shows, the terminated ones too."""
    visible = tuple(visible)

    def launch(subnet: Subnet, count: int) -> Launch:
        slot = Slot(environment, fleet.key, subnet.zone, subnet.id)
        number = next_number(slot, epoch, visible) if epoch is not None else 0
        params = launch_params(fleet, profile, surroundings, subnet)
        return Launch(slot, number, count, fleet.instance_types, profile, epoch, params)

    return tuple(launch(subnet, count) for subnet, count in shares.items())


def launch_params(
    fleet: Fleet, profile: str | None, surroundings: Surroundings, subnet: Subnet
) -> dict[str, Any]:
    """The parameters of RunInstances but for count, type and token."""
    tags = {**fleet.tags, LAUNCH_TAG: write_record(launch_record(fleet))}
    named = tags if fleet.is_indexed else {**tags, "Name": fleet.name}
    # The zone is said beside the subnet, because a token is zonal only where one of them is given openly.
    placement = {"AvailabilityZone": subnet.zone, "Tenancy": fleet.tenancy}
    optional: dict[str, Any] = {
        "IamInstanceProfile": {"Name": profile} if profile else None,
        "KeyName": fleet.key_name,
        "UserData": fleet.user_data or None,
        "EbsOptimized": fleet.ebs_optimized,
        "BlockDeviceMappings": _block_devices(fleet, surroundings.root_device),
        "DisableApiTermination": fleet.termination_protection or None,
    }
    return {
        "ImageId": surroundings.image,
        "Placement": placement,
        "Monitoring": {"Enabled": fleet.monitoring},
        "InstanceInitiatedShutdownBehavior": fleet.shutdown_behavior,
        "MetadataOptions": {
            "HttpTokens": fleet.http_tokens,
            "HttpEndpoint": fleet.http_endpoint,
            "HttpPutResponseHopLimit": fleet.hop_limit,
            "InstanceMetadataTags": fleet.instance_tags,
        },
        "TagSpecifications": [
            {"ResourceType": "instance", "Tags": tag_list(named)},
            {"ResourceType": "volume", "Tags": tag_list({**fleet.tags})},
        ],
        **_network(fleet, surroundings, subnet),
        **{name: value for name, value in optional.items() if value is not None},
    }


def _network(fleet: Fleet, surroundings: Surroundings, subnet: Subnet) -> dict[str, Any]:
    groups = [surroundings.groups[group] for group in fleet.security_groups]
    if fleet.associate_public_ip is None:
        return {"SubnetId": subnet.id, **({"SecurityGroupIds": groups} if groups else {})}
    interface: dict[str, Any] = {
        "DeviceIndex": 0,
        "SubnetId": subnet.id,
        "AssociatePublicIpAddress": fleet.associate_public_ip,
    }
    return {"NetworkInterfaces": [interface | ({"Groups": groups} if groups else {})]}


def _block_devices(fleet: Fleet, root_device: str | None) -> list[dict[str, Any]] | None:
    root = [(root_device, fleet.root_volume)] if fleet.root_volume and root_device else []
    volumes = [*root, *((volume.device, volume) for volume in fleet.volumes)]
    return [{"DeviceName": device, "Ebs": _ebs(volume)} for device, volume in volumes] or None


def _ebs(volume: Volume) -> dict[str, Any]:
    said = {
        "VolumeSize": volume.size_gb,
        "VolumeType": volume.type,
        "Iops": volume.iops,
        "Throughput": volume.throughput,
        "Encrypted": volume.encrypted,
        "KmsKeyId": volume.kms_key_id,
        "DeleteOnTermination": volume.delete_on_termination,
    }
    return {name: value for name, value in said.items() if value is not None}


def _new_profile(name: str | None, hands: Hands) -> str:
    for answer in reversed(hands.answers("CreateInstanceProfile")):
        if answer["InstanceProfile"]["InstanceProfileName"] == name:
            identifier: str = answer["InstanceProfile"]["InstanceProfileId"]
            return identifier
    return ""
