"""Which image a fleet's members are launched from.

A fleet that has members keeps their image, so that it does not become two fleets when the parameter or the
lookup moves on; `image: {update: roll}` follows it.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImages.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from provisioner.errors import AwsError
from provisioner.kinds.base import Reader
from provisioner.kinds.fleet.observed import Newest, ObservedFleet, ObservedImage, Problem
from provisioner.kinds.fleet.read.missing import did_you_mean, near_parameters
from provisioner.kinds.fleet.settings.launch_tag import last_of_same_source
from provisioner.kinds.fleet.spec import Fleet, Image
from provisioner.kinds.tags import (
    text,
)

NO_SUCH_THING = ("NotFound", "Malformed", "InvalidParameterValue")


class MissingPrerequisite(Exception):
    """What the spec asks for does not fit what the account has: `problem`."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def newest_image(reader: Reader, image: Image) -> Newest:
    """What the spec's id, parameter or lookup gives now."""
    try:
        if image.id:
            return Newest(_of_id(reader, image.id, "check `image:`"))
        return Newest(_of_parameter(reader, image.ssm) if image.ssm else _of_lookup(reader, image))
    except MissingPrerequisite as missing_prerequisite:
        return Newest(problems=(missing_prerequisite.problem,))
    except AwsError as error:
        return Newest(problems=(as_problem(error),)) if is_absent(error) else Newest(error=error)


def is_absent(error: AwsError) -> bool:
    """Whether AWS does not have what was asked for."""
    return any(word in error.code for word in NO_SUCH_THING)


def as_problem(error: AwsError) -> Problem:
    """What AWS does not have, in its own words."""
    return Problem(f"ec2 {error.operation}: {error.text} ({error.code})")


def image_to_launch(fleet: Fleet, observed: ObservedFleet) -> str:
    """The image that new members get; empty while it is not known.

    A fleet stays with the image of its members, but for those launched from what the spec named then.
    """
    if fleet.image.id:
        return fleet.image.id
    if fleet.image.update == "pin" and (own := last_of_same_source(fleet, observed.members)):
        return own.image
    return observed.newest.image.id if observed.newest.image else ""


def with_image(fleet: Fleet, observed: ObservedFleet) -> Fleet:
    """The fleet with the image that it is to have, so that members with another one differ."""
    image = image_to_launch(fleet, observed) or None
    if fleet.image.update == "roll":
        return replace(fleet, image=replace(fleet.image, id=image))
    return replace(fleet, image=replace(fleet.image, pinned=image))


def describe_image(reader: Reader, fleet: Fleet, observed: ObservedFleet, image: str) -> ObservedImage:
    """What a launch needs to know of an image. Raises MissingPrerequisite when it is not there, AwsError."""
    if not image:
        return ObservedImage("")
    newest = observed.newest.image
    if newest and newest.id == image and newest.root_device and newest.architecture:
        return newest
    if fleet.image.id and observed.newest.problems:
        # It is the spec's own, and was looked for already.
        raise MissingPrerequisite(observed.newest.problems[0])
    refresh = f"`apply --refresh-image {fleet.key}` replaces the members by newer ones"
    if newest is None or newest.id == image:
        refresh = f"once `image:` gives another one, {refresh}"
    return _of_id(reader, image, "check `image:`" if fleet.image.id else refresh)


def _of_id(reader: Reader, image: str, hint: str) -> ObservedImage:
    try:
        found = reader.call("ec2", "DescribeImages", ImageIds=[image])["Images"]
    except AwsError as error:
        if not is_absent(error):
            raise
        found = []
    if not found:
        message = f"there is no image {image} in this region, or it is not shared with this account"
        raise MissingPrerequisite(Problem(message, hint))
    return _found(found[0])


def _found(image: Mapping[str, Any]) -> ObservedImage:
    since = image.get("DeprecationTime", "")
    is_past = bool(since) and since <= datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    device = image.get("RootDeviceName")
    disks = {
        mapping.get("DeviceName"): mapping.get("Ebs", {}) for mapping in image.get("BlockDeviceMappings", ())
    }
    disk = disks.get(device, {})
    return ObservedImage(
        id=image["ImageId"],
        # The root of the others is on disks of the host, and no volume.
        root_device=device if image.get("RootDeviceType", "ebs") == "ebs" else None,
        deprecated=since[:10] if is_past else None,
        architecture=image.get("Architecture"),
        virtualization=image.get("VirtualizationType"),
        ena=image.get("EnaSupport"),
        root_type=image.get("RootDeviceType"),
        root_gb=disk.get("VolumeSize"),
        root_volume_type=disk.get("VolumeType"),
        root_encrypted=disk.get("Encrypted"),
        boot_mode=image.get("BootMode"),
        tpm=image.get("TpmSupport"),
        platform=image.get("Platform"),
        operation=image.get("UsageOperation"),
    )


def _of_parameter(reader: Reader, name: str) -> ObservedImage:
    try:
        value = text(reader.call("ssm", "GetParameter", Name=name)["Parameter"], "Value")
    except AwsError as error:
        if error.code != "ParameterNotFound":
            raise
        near = near_parameters(reader, name)
        problem = Problem(f"there is no SSM parameter {name} in this region", f"{near}check `image:`")
        raise MissingPrerequisite(problem) from error
    if not value.startswith("ami-"):
        raise MissingPrerequisite(Problem(f"SSM parameter {name} holds no image id", "check `image:`"))
    return ObservedImage(value)


def _of_lookup(reader: Reader, image: Image) -> ObservedImage:
    filters = {"name": image.name, "architecture": image.architecture, "state": "available"}
    found = reader.call(
        "ec2",
        "DescribeImages",
        Owners=[image.owner],
        Filters=[{"Name": name, "Values": [value]} for name, value in filters.items() if value],
    )["Images"]
    if not found:
        of = f" for {image.architecture}" if image.architecture else ""
        message = f"{image.owner} has no image named {image.name}{of}"
        raise MissingPrerequisite(Problem(message, f"{_near(reader, image)}check `image:`"))
    return _found(max(found, key=lambda image: (image.get("CreationDate", ""), image["ImageId"])))


def _near(reader: Reader, image: Image) -> str:
    """What there is instead of an image: one of another architecture, or with a name like it."""
    names = {"Name": "name", "Values": [image.name]}
    # Others may have tens of thousands of images.
    filters = {"Filters": [names]} if image.architecture else {}
    if not image.architecture and image.owner != "self":
        return ""
    try:
        there = reader.call("ec2", "DescribeImages", Owners=[image.owner], **filters)["Images"]
    except AwsError:
        return ""
    if image.architecture:
        others = sorted({image.get("Architecture", "") for image in there} - {""})
        return f"there is one for {' and '.join(others)}; " if others else ""
    told = did_you_mean([image.name or ""], [image["Name"] for image in there if image.get("Name")])
    return f"{told}; " if told else ""
