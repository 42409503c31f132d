"""Times launches, describes, tags and terminations on plain moto and on the local AWS.

Run by hand: `python -m tests.integration.local_aws.measure [instances]`; the figures go into
docs/local-aws.md.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from typing import Any

import boto3
from botocore.config import Config

from local_aws import Faults, down
from local_aws.process import start

AL2023 = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
TAGS = [{"ResourceType": "instance", "Tags": [{"Key": f"key{n}", "Value": "value"} for n in range(6)]}]


def measure(plain: bool, count: int) -> dict[str, float]:
    """Seconds per operation, as a client sees them, on a process of its own."""
    with tempfile.TemporaryDirectory() as directory:
        os.environ["PROVISIONER_LOCAL_DIR"] = directory
        local = start(0, Faults(), plain)
        try:
            return _times(local.endpoint_url, count)
        finally:
            down()


def _times(url: str, count: int) -> dict[str, float]:
    session = boto3.Session("test", "test", region_name="us-east-1")
    config = Config(read_timeout=300, retries={"total_max_attempts": 1})
    ec2: Any = session.client("ec2", endpoint_url=url, config=config)
    ssm: Any = session.client("ssm", endpoint_url=url)
    image = ssm.get_parameter(Name=AL2023)["Parameter"]["Value"]
    ec2.describe_regions()
    times: dict[str, float] = {}

    def timed(name: str, call: Any, **request: Any) -> Any:
        began = time.perf_counter()
        answer = call(**request)
        times[name] = time.perf_counter() - began
        return answer

    made = timed(
        f"RunInstances of {count}",
        ec2.run_instances,
        ImageId=image,
        InstanceType="t3.micro",
        MinCount=count,
        MaxCount=count,
        TagSpecifications=TAGS,
    )
    ids = [item["InstanceId"] for item in made["Instances"]]
    wanted = [{"Name": "tag:key1", "Values": ["value"]}]
    timed(f"DescribeInstances of {count}", ec2.describe_instances, Filters=wanted, MaxResults=1000)
    timed(f"CreateTags on {count}", ec2.create_tags, Resources=ids, Tags=[{"Key": "a", "Value": "b"}])
    timed(f"TerminateInstances of {count}", ec2.terminate_instances, InstanceIds=ids)
    return times


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    columns = [measure(plain, number) for plain in (True, False)]
    sys.stdout.write(f"{'':28}{'plain moto':>12}{'local AWS':>12}\n")
    for operation in columns[0]:
        moto, ours = (column[operation] for column in columns)
        sys.stdout.write(f"{operation:28}{moto:10.2f} s{ours:10.2f} s\n")
