"""DescribeRegions: the regions that are switched on, which in an account as it is opened are not all.

EC2 API Reference, DescribeRegions; Account Management User Guide, "Enable or disable AWS Regions in your
account". moto also shows those that are not, and those of other partitions.
"""

from __future__ import annotations

from typing import Any

from moto.ec2 import ec2_backends
from moto.utilities.utils import get_partition

from local_aws.call import Call
from local_aws.corrections.registry import handler
from local_aws.world import World

# What nobody has to opt in to; the other partitions have no other regions.
# https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
ALWAYS_ON = {
    *("ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2"),
    *("ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1"),
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2"),
}


@handler("ec2:DescribeRegions")
def describe_regions(world: World, call: Call) -> dict[str, Any]:
    """The regions of the partition: those named, else those that are on, or all with AllRegions."""
    partition = get_partition(call.region)
    named = call.params.get("RegionNames") or []
    shown = []
    for name in sorted(ec2_backends[world.account].regions):
        is_on = partition != "aws" or name in ALWAYS_ON
        is_asked_for = name in named if named else is_on or call.params.get("AllRegions")
        if get_partition(name) == partition and is_asked_for:
            status = "opt-in-not-required" if is_on else "not-opted-in"
            endpoint = f"ec2.{name}.amazonaws.com"
            shown.append({"RegionName": name, "Endpoint": endpoint, "OptInStatus": status})
    return {"Regions": shown}
