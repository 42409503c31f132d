"""What the instance types of a spec are like: asked once for all of its fleets.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypes.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from provisioner.kinds.base import Reader
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.instances import MAX_FILTER_VALUES, chunks


def types_of(fleets: Iterable[Fleet]) -> tuple[str, ...]:
    """All types that fleets name, in one order, so that the question is the same whoever asks it."""
    return tuple(sorted({type_ for fleet in fleets for type_ in fleet.instance_types}))


def describe_types(reader: Reader, types: tuple[str, ...]) -> dict[str, Mapping[str, Any]]:
    """The types as EC2 describes them, by name; those that there are not are left out. Raises AwsError."""
    return {
        raw["InstanceType"]: raw
        for part in chunks(types, MAX_FILTER_VALUES)
        for raw in reader.pages(
            "ec2",
            "DescribeInstanceTypes",
            "InstanceTypes",
            Filters=[{"Name": "instance-type", "Values": list(part)}],
        )
    }
