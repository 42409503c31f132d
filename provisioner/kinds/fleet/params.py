"""What RunInstances is asked for: a fleet's settings as the parameters of the call.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from provisioner.kinds.fleet.launch_tag import launch_record, write_record
from provisioner.kinds.fleet.observed import Prerequisites, Subnet
from provisioner.kinds.fleet.spec import SPOT, CapacityOption, Fleet, Volume
from provisioner.kinds.iam import tag_list
from provisioner.model import Call
from provisioner.naming import ASKED_TAG, LAUNCH_TAG

MARKET = "InstanceMarketOptions"


def run_instances(params: Mapping[str, Any], option: CapacityOption, count: int, name: str) -> Call:
    """The call that launches up to `count` members, once for the token `name`.

    The number asked for is written on each of them, so that whoever sees fewer knows that there are more; and
    the type, which can be changed afterwards.
    """
    tags = [
        {**spec, "Tags": [*_with_type(spec["Tags"], option.type), {"Key": ASKED_TAG, "Value": str(count)}]}
        if spec["ResourceType"] == "instance"
        else spec
        for spec in params["TagSpecifications"]
    ]
    counted = {"InstanceType": option.type, "MinCount": 1, "MaxCount": count, "ClientToken": name}
    bought = {key: value for key, value in params.items() if key != MARKET or option.market == SPOT}
    return Call("ec2", "RunInstances", {**bought, "TagSpecifications": tags, **counted})


def _with_type(tags: Iterable[Mapping[str, str]], type_: str) -> Iterator[Mapping[str, str]]:
    for tag in tags:
        is_record = tag["Key"] == LAUNCH_TAG
        yield {**tag, "Value": f"{tag['Value']} type={type_}"} if is_record else tag


def launch_params(
    fleet: Fleet, profile: str | None, prerequisites: Prerequisites, subnet: Subnet
) -> dict[str, Any]:
    """The parameters of RunInstances but for count, type and token; with the market of Spot rungs."""
    tags = {**fleet.tags, LAUNCH_TAG: write_record(launch_record(fleet))}
    named = tags if fleet.is_indexed else {**tags, "Name": fleet.name}
    # The zone is said beside the subnet, because a token is zonal only where one of them is given openly.
    # What the spec does not say is not sent: a VPC has a tenancy of its own, and an image without volumes
    # takes no shutdown behaviour; `stop` is what EC2 does by itself.
    placement = {"AvailabilityZone": subnet.zone, **({"Tenancy": fleet.tenancy} if fleet.tenancy else {})}
    optional: dict[str, Any] = {
        "IamInstanceProfile": {"Name": profile} if profile else None,
        "KeyName": fleet.key_name,
        "UserData": fleet.user_data or None,
        "EbsOptimized": fleet.ebs_optimized,
        "BlockDeviceMappings": _block_devices(fleet, prerequisites.root_device),
        "DisableApiTermination": fleet.termination_protection or None,
        "InstanceInitiatedShutdownBehavior": None
        if fleet.shutdown_behavior == "stop"
        else fleet.shutdown_behavior,
        MARKET: _spot(fleet) if fleet.market == SPOT else None,
    }
    return {
        "ImageId": prerequisites.image,
        "Placement": placement,
        "Monitoring": {"Enabled": fleet.monitoring},
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
        **_network(fleet, prerequisites, subnet),
        **{name: value for name, value in optional.items() if value is not None},
    }


def _network(fleet: Fleet, prerequisites: Prerequisites, subnet: Subnet) -> dict[str, Any]:
    groups = fleet.group_ids(prerequisites.groups)
    if fleet.associate_public_ip is None:
        return {"SubnetId": subnet.id, **({"SecurityGroupIds": groups} if groups else {})}
    interface: dict[str, Any] = {
        "DeviceIndex": 0,
        "SubnetId": subnet.id,
        "AssociatePublicIpAddress": fleet.associate_public_ip,
    }
    return {"NetworkInterfaces": [interface | ({"Groups": groups} if groups else {})]}


def _block_devices(fleet: Fleet, root_device: str | None) -> list[dict[str, Any]] | None:
    # What becomes of the root volume is said also where nothing else is: an image may have it stay.
    root = [(root_device, fleet.root_volume or Volume())] if root_device else []
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


def _spot(fleet: Fleet) -> dict[str, Any]:
    """A one-time request, ended by what it got: a reclaimed member is terminated, and apply replaces it."""
    options = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}
    price = {"MaxPrice": fleet.max_price} if fleet.max_price else {}
    return {"MarketType": "spot", "SpotOptions": {**options, **price}}
