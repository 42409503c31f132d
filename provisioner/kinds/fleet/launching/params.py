"""What RunInstances is asked for: a fleet's settings as the parameters of the call.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from provisioner.kinds.fleet.observed import Prerequisites, Subnet
from provisioner.kinds.fleet.settings.launch_tag import launch_record, write_record
from provisioner.kinds.fleet.settings.setting import Launching, merged
from provisioner.kinds.fleet.settings.table import SETTINGS
from provisioner.kinds.fleet.settings.values import INTERFACE, MARKET
from provisioner.kinds.fleet.settings.volumes import DEVICES
from provisioner.kinds.fleet.spec import SPOT, CapacityOption, Fleet
from provisioner.kinds.tags import (
    tag_list,
)
from provisioner.model import Call
from provisioner.naming import ASKED_TAG, LAUNCH_TAG


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
    """The parameters of RunInstances but for count, type and token; with the market of Spot capacity options.

    What the spec does not say is not sent: a VPC has a tenancy of its own, for instance.
    """
    tags = {**fleet.tags, LAUNCH_TAG: write_record(launch_record(fleet))}
    named = tags if fleet.is_indexed else {**tags, "Name": fleet.name}
    to = Launching(prerequisites, subnet)
    params = merged(setting.launch(fleet, to) for setting in SETTINGS if setting.launch)
    interface = params.pop(INTERFACE)
    devices = [{"DeviceName": name, "Ebs": disk} for name, disk in params.pop(DEVICES, {}).items()]
    return {
        **params,
        **_network(interface),
        **({DEVICES: devices} if devices else {}),
        **({"IamInstanceProfile": {"Name": profile}} if profile else {}),
        "TagSpecifications": [
            {"ResourceType": "instance", "Tags": tag_list(named)},
            {"ResourceType": "volume", "Tags": tag_list(fleet.volume_tags)},
        ],
    }


def _network(interface: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of the network interface, in one where only that takes it, else as the call has it."""
    if "AssociatePublicIpAddress" in interface:
        return {"NetworkInterfaces": [{"DeviceIndex": 0, **interface}]}
    called = {"Groups": "SecurityGroupIds"}
    return {called.get(name, name): value for name, value in interface.items()}
