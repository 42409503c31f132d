"""What EC2 refuses of volumes: sizes, performance and devices that a type or a launch does not take.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EbsBlockDevice.html
https://docs.aws.amazon.com/ebs/latest/userguide/ebs-volume-types.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from provisioner.naming import partition_of

GP3_IOPS = 3_000
GP3_THROUGHPUT_PER_IOPS = 0.25


class Limits(NamedTuple):
    """What a volume type takes: GiB, operations per second, and of those at most so many per GiB.

    None: it takes no `iops`.
    """

    smallest: int
    largest: int
    least_iops: int | None = None
    most_iops: int = 0
    per_gb: int = 0
    is_bootable: bool = True


LIMITS: Mapping[str, Limits] = {
    "gp2": Limits(1, 16_384),
    "gp3": Limits(1, 65_536, 3_000, 80_000, 500),
    "io1": Limits(4, 16_384, 100, 64_000, 50),
    "io2": Limits(4, 65_536, 100, 256_000, 1_000),
    "st1": Limits(125, 16_384, is_bootable=False),
    "sc1": Limits(125, 16_384, is_bootable=False),
    "standard": Limits(1, 1_024),
}
TYPES_WITH_IOPS = tuple(name for name, limits in LIMITS.items() if limits.least_iops)
TYPES_THAT_NEED_IOPS = ("io1", "io2")

# What is wrong: the field, the message and the way out.
Wrong = tuple[str, str, str | None]


def volume_problems(written: Mapping[str, Any], region: str) -> Iterator[Wrong]:
    """What EC2 will not take of a volume as a spec has it; without `device` it is the root volume.

    What depends on the image is for a plan to find out: see `launch_fit`.
    """
    type_, iops, throughput = written.get("type"), written.get("iops"), written.get("throughput")
    if type_:
        yield from performance_problems(type_, iops, throughput)
    if written.get("kms_key_id") and not written.get("encrypted"):
        yield "kms_key_id", "a key is for encrypted volumes only", "add `encrypted: true`"
    yield from _key_problems(written.get("kms_key_id", ""), region)
    if type_ is None:
        return
    if "device" not in written and not LIMITS[type_].is_bootable:
        yield "type", f"{type_} cannot be what an instance starts from", "use gp3"
    yield from size_problems(type_, written.get("size_gb"), iops)


def performance_problems(type_: str, iops: int | None, throughput: int | None) -> Iterator[Wrong]:
    """What a volume type does not take, or lacks, of operations per second and throughput."""
    if iops and type_ not in TYPES_WITH_IOPS:
        yield "iops", f"{type_} takes no iops", f"use it with {', '.join(TYPES_WITH_IOPS)}"
    if type_ in TYPES_THAT_NEED_IOPS and not iops:
        yield "type", f"{type_} needs `iops`", "add `iops:`, or use gp3"
    if throughput and type_ != "gp3":
        yield "throughput", f"{type_} takes no throughput", "use it with gp3"
    least = throughput / GP3_THROUGHPUT_PER_IOPS if throughput and type_ == "gp3" else 0
    if (iops or GP3_IOPS) < least:
        yield (
            "throughput",
            f"{throughput} MiB/s needs `iops` of at least {least:.0f}",
            f"add `iops: {least:.0f}`",
        )


def size_problems(type_: str, size_gb: int | None, iops: int | None) -> Iterator[Wrong]:
    """What a volume type does not take of a size and of operations per second; None: not known."""
    limits = LIMITS[type_]
    if size_gb and not limits.smallest <= size_gb <= limits.largest:
        takes = f"from {limits.smallest} to {limits.largest} GiB"
        yield "size_gb", f"{type_} takes {takes}, found {size_gb}", None
        return
    if not iops or limits.least_iops is None:
        return
    if not limits.least_iops <= iops <= limits.most_iops:
        yield "iops", f"{type_} takes from {limits.least_iops} to {limits.most_iops}, found {iops}", None
    elif size_gb and iops > max(size_gb * limits.per_gb, GP3_IOPS if type_ == "gp3" else 0):
        most = size_gb * limits.per_gb
        message = (
            f"{type_} takes at most {limits.per_gb} for each GiB: {most} for {size_gb} GiB, found {iops}"
        )
        yield "iops", message, "make the volume larger, or ask for less"


def _key_problems(key: str, region: str) -> Iterator[Wrong]:
    """A key is of the region of the volume. https://docs.aws.amazon.com/kms/latest/developerguide/"""
    if not key.startswith("arn:"):
        return
    _, partition, _, where, *_ = key.split(":")
    own = partition_of(region)
    if own and (partition, where) != (own, region):
        yield "kms_key_id", f"the key is of {where} ({partition}), and the volume of {region} ({own})", None


def same_device(one: str, other: str) -> bool:
    """Whether two names are of one device: /dev/ may be left out."""
    return one.removeprefix("/dev/") == other.removeprefix("/dev/")
