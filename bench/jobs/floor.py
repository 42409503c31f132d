"""The floor under a plan: the same six reads with boto3 alone, nothing done with the answers but counting.

Usage: floor.py ENDPOINT ENVIRONMENT. EC2's client is made first because its answer is the longest to come;
each client's calls are on their way while the next client is made.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import boto3
from botocore.config import Config

# As in jobs/spec.yaml: whether there is a newer image.
IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


def main(endpoint: str, environment: str) -> None:
    """Reads, and prints how many instances there are."""
    session = boto3.Session(region_name="us-east-1")
    config = Config(retries={"total_max_attempts": 1}, max_pool_connections=16)
    path = f"/provisioner/{environment}/"
    with ThreadPoolExecutor(6) as pool:

        def start(call: Callable[..., Any], **params: Any) -> Future[Any]:
            return pool.submit(call, **params)

        ec2: Any = session.client("ec2", endpoint_url=endpoint, config=config)
        members = pool.submit(count_members, ec2, environment)
        iam: Any = session.client("iam", endpoint_url=endpoint, config=config)
        reads = [
            start(iam.get_account_authorization_details, Filter=["Role"], MaxItems=1000),
            start(iam.list_roles, PathPrefix=path, MaxItems=1000),
            start(iam.list_instance_profiles, PathPrefix=path, MaxItems=1000),
            start(iam.get_instance_profile, InstanceProfileName=f"{environment}-worker"),
        ]
        ssm: Any = session.client("ssm", endpoint_url=endpoint, config=config)
        reads.append(start(ssm.get_parameter, Name=IMAGE))
        for read in reads:
            read.result()
        print(members.result())


def count_members(ec2: Any, environment: str) -> int:
    """How many instances the environment has, 1000 a page."""
    filters = [{"Name": "tag:provisioner:environment", "Values": [environment]}]
    pages = ec2.get_paginator("describe_instances").paginate(
        Filters=filters, PaginationConfig={"PageSize": 1000}
    )
    return sum(len(reservation["Instances"]) for page in pages for reservation in page["Reservations"])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
