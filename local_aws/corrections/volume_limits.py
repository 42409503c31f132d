"""Sizes, IOPS and throughput that the types of volumes allow.

EC2 API Reference, EbsBlockDevice and CreateVolume
(https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EbsBlockDevice.html); EBS User Guide, "Amazon EBS
volume types" (https://docs.aws.amazon.com/ebs/latest/userguide/ebs-volume-types.html): IOPS for each GiB, and
throughput for each IOPS. moto checks none of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from local_aws.call import AwsError


@dataclass(frozen=True)
class Limits:
    """What a type allows: GiB, IOPS (none: they cannot be said), IOPS for each GiB; MiB/s."""

    sizes: tuple[int, int]
    iops: tuple[int, int] | None = None
    iops_per_gib: int = 0
    throughput: tuple[int, int] | None = None
    needs_iops: bool = False


LIMITS = {
    "gp2": Limits((1, 16384)),
    "gp3": Limits((1, 65536), (3000, 80000), 500, (125, 2000)),
    "io1": Limits((4, 16384), (100, 64000), 50, needs_iops=True),
    "io2": Limits((4, 65536), (100, 256000), 1000, needs_iops=True),
    "st1": Limits((125, 16384)),
    "sc1": Limits((125, 16384)),
    "standard": Limits((1, 1024)),
}


def check_limits(kind: str, size: int, iops: int | None, throughput: int | None) -> None:
    """Raises InvalidParameterValue, InvalidParameterCombination or MissingParameter."""
    limits = LIMITS.get(kind)
    if limits is None:
        raise AwsError("InvalidParameterValue", f"Value ({kind}) for parameter volumeType is invalid.")
    _check_range(f"Volume of {size}GiB", size, limits.sizes, "GiB")
    if iops is not None:
        _check_iops(kind, limits, size, iops)
    elif limits.needs_iops:
        raise AwsError("MissingParameter", "The request must contain the parameter iops")
    if throughput is not None:
        if limits.throughput is None:
            text = f"The parameter throughput is not supported for {kind} volumes."
            raise AwsError("InvalidParameterCombination", text)
        _check_range(f"Volume throughput of {throughput}", throughput, limits.throughput, " MiB/s")
        if throughput * 4 > (iops or 3000):
            ratio = throughput / (iops or 3000)
            text = (
                f"Throughput (MiBps) to iops ratio of {ratio:.6f} is too high; maximum is 0.250000 MiBps per"
            )
            raise AwsError("InvalidParameterValue", f"{text} iops.")


def _check_iops(kind: str, limits: Limits, size: int, iops: int) -> None:
    if limits.iops is None:
        text = f"The parameter iops is not supported for {kind} volumes."
        raise AwsError("InvalidParameterCombination", text)
    _check_range(f"Volume iops of {iops}", iops, limits.iops, "")
    included = kind == "gp3" and iops == limits.iops[0]
    if iops > size * limits.iops_per_gib and not included:
        text = f"Iops to volume size ratio of {iops / size:.6f} is too high; maximum is"
        raise AwsError("InvalidParameterValue", f"{text} {limits.iops_per_gib}.000000")


def _check_range(what: str, value: int, allowed: tuple[int, int], unit: str) -> None:
    least, most = allowed
    if value < least:
        raise AwsError("InvalidParameterValue", f"{what} is too small; minimum is {least}{unit}.")
    if value > most:
        raise AwsError("InvalidParameterValue", f"{what} is too large; maximum is {most}{unit}.")
