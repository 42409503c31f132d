"""Filters of DescribeInstances, DescribeInstanceStatus, DescribeImages and DescribeVolumes.

EC2 API Reference, of these actions, and "List and filter using the CLI and API": values of one filter are
alternatives, filters must all match, `*` and `?` are wildcards unless escaped with a backslash, case counts.
moto knows 21 of them, without wildcards except for tags.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from local_aws.call import AwsError, Call

View = dict[str, Any]
MAX_VALUES = 200

_PATHS = {
    "affinity": "Placement.Affinity",
    "architecture": "Architecture",
    "availability-zone": "Placement.AvailabilityZone",
    "block-device-mapping.delete-on-termination": "BlockDeviceMappings.Ebs.DeleteOnTermination",
    "block-device-mapping.device-name": "BlockDeviceMappings.DeviceName",
    "block-device-mapping.status": "BlockDeviceMappings.Ebs.Status",
    "block-device-mapping.volume-id": "BlockDeviceMappings.Ebs.VolumeId",
    "client-token": "ClientToken",
    "dns-name": "PublicDnsName",
    "hibernation-options.configured": "HibernationOptions.Configured",
    "host-id": "Placement.HostId",
    "hypervisor": "Hypervisor",
    "iam-instance-profile.arn": "IamInstanceProfile.Arn",
    "iam-instance-profile.id": "IamInstanceProfile.Id",
    "image-id": "ImageId",
    "instance-id": "InstanceId",
    "instance-lifecycle": "InstanceLifecycle",
    "instance-state-code": "State.Code",
    "instance-state-name": "State.Name",
    "instance-type": "InstanceType",
    "instance.group-id": "SecurityGroups.GroupId",
    "instance.group-name": "SecurityGroups.GroupName",
    "ip-address": "PublicIpAddress",
    "key-name": "KeyName",
    "launch-index": "AmiLaunchIndex",
    "launch-time": "LaunchTime",
    "metadata-options.http-endpoint": "MetadataOptions.HttpEndpoint",
    "metadata-options.http-tokens": "MetadataOptions.HttpTokens",
    "monitoring-state": "Monitoring.State",
    "network-interface.group-id": "NetworkInterfaces.Groups.GroupId",
    "network-interface.network-interface-id": "NetworkInterfaces.NetworkInterfaceId",
    "network-interface.subnet-id": "NetworkInterfaces.SubnetId",
    "network-interface.vpc-id": "NetworkInterfaces.VpcId",
    "placement-group-name": "Placement.GroupName",
    "platform": "Platform",
    "private-dns-name": "PrivateDnsName",
    "private-ip-address": "PrivateIpAddress",
    "reason": "StateTransitionReason",
    "root-device-name": "RootDeviceName",
    "root-device-type": "RootDeviceType",
    "source-dest-check": "SourceDestCheck",
    "spot-instance-request-id": "SpotInstanceRequestId",
    "state-reason-code": "StateReason.Code",
    "subnet-id": "SubnetId",
    "tag-key": "Tags.Key",
    "tag-value": "Tags.Value",
    "tenancy": "Placement.Tenancy",
    "virtualization-type": "VirtualizationType",
    "vpc-id": "VpcId",
}


IMAGE_PATHS = {
    "architecture": "Architecture",
    "block-device-mapping.delete-on-termination": "BlockDeviceMappings.Ebs.DeleteOnTermination",
    "block-device-mapping.device-name": "BlockDeviceMappings.DeviceName",
    "block-device-mapping.encrypted": "BlockDeviceMappings.Ebs.Encrypted",
    "block-device-mapping.snapshot-id": "BlockDeviceMappings.Ebs.SnapshotId",
    "block-device-mapping.volume-size": "BlockDeviceMappings.Ebs.VolumeSize",
    "block-device-mapping.volume-type": "BlockDeviceMappings.Ebs.VolumeType",
    "creation-date": "CreationDate",
    "description": "Description",
    "ena-support": "EnaSupport",
    "hypervisor": "Hypervisor",
    "image-id": "ImageId",
    "image-type": "ImageType",
    "is-public": "Public",
    "manifest-location": "ImageLocation",
    "name": "Name",
    "owner-alias": "ImageOwnerAlias",
    "owner-id": "OwnerId",
    "platform": "Platform",
    "root-device-name": "RootDeviceName",
    "root-device-type": "RootDeviceType",
    "state": "State",
    "tag-key": "Tags.Key",
    "virtualization-type": "VirtualizationType",
}
"""Filters of DescribeImages, as paths in one of its images."""

KEY_PAIR_PATHS = {
    "fingerprint": "KeyFingerprint",
    "key-name": "KeyName",
    "key-pair-id": "KeyPairId",
    "tag-key": "Tags.Key",
}
"""Filters of DescribeKeyPairs, as paths in one of its key pairs."""

VOLUME_PATHS = {
    "attachment.attach-time": "Attachments.AttachTime",
    "attachment.delete-on-termination": "Attachments.DeleteOnTermination",
    "attachment.device": "Attachments.Device",
    "attachment.instance-id": "Attachments.InstanceId",
    "attachment.status": "Attachments.State",
    "availability-zone": "AvailabilityZone",
    "create-time": "CreateTime",
    "encrypted": "Encrypted",
    "multi-attach-enabled": "MultiAttachEnabled",
    "size": "Size",
    "snapshot-id": "SnapshotId",
    "status": "State",
    "tag-key": "Tags.Key",
    "volume-id": "VolumeId",
    "volume-type": "VolumeType",
}
"""Filters of DescribeVolumes, as paths in one of its volumes."""

MODIFICATION_PATHS = {
    "modification-state": "ModificationState",
    "original-iops": "OriginalIops",
    "original-size": "OriginalSize",
    "original-volume-type": "OriginalVolumeType",
    "start-time": "StartTime",
    "target-iops": "TargetIops",
    "target-size": "TargetSize",
    "target-volume-type": "TargetVolumeType",
    "volume-id": "VolumeId",
}
"""Filters of DescribeVolumesModifications, as paths in one of its modifications."""

STATUS_PATHS = {
    "availability-zone": "AvailabilityZone",
    "instance-state-code": "InstanceState.Code",
    "instance-state-name": "InstanceState.Name",
    "instance-status.reachability": "InstanceStatus.Details.Status",
    "instance-status.status": "InstanceStatus.Status",
    "system-status.reachability": "SystemStatus.Details.Status",
    "system-status.status": "SystemStatus.Status",
}
"""Filters of DescribeInstanceStatus, as paths in one of its rows."""


def check_number(call: Call) -> None:
    """Raises FilterLimitExceeded for a call of EC2 whose filters have more than 200 values in all.

    EC2 API Reference, "Error codes": too many filters or too many values; the words are EC2's own, in
    https://github.com/gjbae1212/gossm/issues/47.
    """
    filters = call.params.get("Filters") or [] if call.service == "ec2" else []
    if sum(len(item.get("Values") or []) for item in filters) > MAX_VALUES:
        text = f"The maximum number of filter values specified on a single call is {MAX_VALUES}"
        raise AwsError("FilterLimitExceeded", text)


def view_filter(filters: list[dict[str, Any]], paths: dict[str, str]) -> Callable[[View], bool]:
    """A function that says whether a view passes all filters, by the path that each filter stands for.

    Raises InvalidParameterValue for a filter that is not in `paths`.
    """
    tests = [_path_test(item.get("Name") or "null", item.get("Values") or [], paths) for item in filters]
    return lambda view: all(test(view) for test in tests)


def instance_filter(filters: list[dict[str, Any]]) -> Callable[[View, str, str], bool]:
    """A function that says whether an instance's view, reservation id and owner pass all filters.

    Raises InvalidParameterValue for a filter that EC2 does not have.
    """
    tests: list[Callable[[View, str, str], bool]] = []
    for item in filters:
        name, values = item.get("Name") or "null", item.get("Values") or []
        tests.append(_test(name, values))
    return lambda view, reservation, owner: all(test(view, reservation, owner) for test in tests)


def matches_any(text: str, patterns: list[str]) -> bool:
    """Whether the text matches one of the patterns, with EC2's wildcards."""
    return any(_pattern(item).fullmatch(text) is not None for item in patterns)


def _test(name: str, values: list[str]) -> Callable[[View, str, str], bool]:
    if name == "reservation-id":
        return lambda view, reservation, owner: matches_any(reservation, values)
    if name == "owner-id":
        return lambda view, reservation, owner: matches_any(owner, values)
    passes = _path_test(name, values, _PATHS)
    return lambda view, reservation, owner: passes(view)


def _path_test(name: str, values: list[str], paths: dict[str, str]) -> Callable[[View], bool]:
    if name.startswith("tag:") and "tag-key" in paths:
        key = name.removeprefix("tag:")

        def tagged(view: View) -> bool:
            return any(tag["Key"] == key and matches_any(tag["Value"], values) for tag in view["Tags"] or [])

        return tagged
    path = paths.get(name)
    if path is None:
        raise AwsError("InvalidParameterValue", f"The filter '{name}' is invalid")
    steps = path.split(".")

    def test(view: View) -> bool:
        return any(matches_any(text, values) for text in _texts(view, steps))

    return test


def _texts(value: Any, steps: list[str]) -> list[str]:
    if value is None:
        return []
    if isinstance(value, list):
        return [text for item in value for text in _texts(item, steps)]
    if steps:
        return _texts(value.get(steps[0]), steps[1:])
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [value.strftime("%Y-%m-%dT%H:%M:%S.000Z") if hasattr(value, "strftime") else str(value)]


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(as_regex(text), re.DOTALL)


def as_regex(text: str) -> str:
    """What the value of a filter stands for."""
    out = []
    letters = iter(text)
    for letter in letters:
        if letter == "\\":
            out.append(re.escape(next(letters, "\\")))
        else:
            out.append({"*": ".*", "?": "."}.get(letter) or re.escape(letter))
    return "".join(out)
