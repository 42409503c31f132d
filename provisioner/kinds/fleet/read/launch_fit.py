"""Whether what a spec asks for fits together on EC2: images, instance types, volumes, tags.

Each would be refused only when members are launched, or after they were stopped. What EC2 does not say of an
image or a type is not judged. Of NVMe it says which types need it, and of no image whether it has the driver.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resize-limitations.html
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/device_naming.html
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from provisioner.kinds.fleet.observed import ObservedImage, Problem
from provisioner.kinds.fleet.spec import CLOUD_INIT, Fleet, keys_hidden_from_metadata
from provisioner.kinds.fleet.user_data.parts import asked_by, need_cloud_init
from provisioner.kinds.fleet.volumes.limits import performance_problems, size_problems
from provisioner.kinds.instances import Instance
from provisioner.kinds.keep import with_keep
from provisioner.kinds.tags import (
    MAX_TAGS,
    staying_tags,
)
from provisioner.lazy_dataclass import dataclass
from provisioner.naming import ASKED_TAG, INDEX_TAG, LAUNCH_TAG, NAME_TAG, READY_TAG

# Series, generation, and options, of which g stands for AWS's own processors; not those that break the rule.
# https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html
_PLAIN = re.compile(r"(?!hpc|trn|mac)[a-z]{1,4}([2-9]|[1-9][0-9])(?P<options>[a-z]*)(-[a-z]+)?[.][a-z0-9-]+")
# Settings that not all types have.
_OF_SOME_TYPES = ("ebs_optimized", "enclave", "hibernation", "cpu_options.core_count")
_CHOOSE = "choose a type or an image that fits"
MARKETS = {"on_demand": "on-demand", "spot": "spot"}


@dataclass(frozen=True)
class ObservedType:
    """An instance type as DescribeInstanceTypes shows it, as far as it matters here; empty: not shown."""

    name: str
    architectures: tuple[str, ...] = ()
    virtualizations: tuple[str, ...] = ()
    root_devices: tuple[str, ...] = ()
    usages: tuple[str, ...] = ()
    ena: str = ""
    ebs_optimized: str = ""
    boot_modes: tuple[str, ...] = ()
    tpm: str = ""
    enclaves: str = ""
    hibernates: bool | None = None
    cores: tuple[int, ...] = ()
    threads: tuple[int, ...] = ()


def as_type(raw: Mapping[str, Any]) -> ObservedType:
    """An instance type of DescribeInstanceTypes.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceTypeInfo.html
    """
    return ObservedType(
        name=raw["InstanceType"],
        architectures=tuple(raw.get("ProcessorInfo", {}).get("SupportedArchitectures", ())),
        virtualizations=tuple(raw.get("SupportedVirtualizationTypes", ())),
        root_devices=tuple(raw.get("SupportedRootDeviceTypes", ())),
        usages=tuple(raw.get("SupportedUsageClasses", ())),
        ena=raw.get("NetworkInfo", {}).get("EnaSupport", ""),
        ebs_optimized=raw.get("EbsInfo", {}).get("EbsOptimizedSupport", ""),
        boot_modes=tuple(raw.get("SupportedBootModes", ())),
        tpm=raw.get("NitroTpmSupport", ""),
        enclaves=raw.get("NitroEnclavesSupport", ""),
        hibernates=raw.get("HibernationSupported"),
        cores=tuple(raw.get("VCpuInfo", {}).get("ValidCores", ())),
        threads=tuple(raw.get("VCpuInfo", {}).get("ValidThreadsPerCore", ())),
    )


def machine_of(member: Instance) -> ObservedImage:
    """What a member was made from, as far as it shows that itself."""
    shown = member.described
    return ObservedImage(
        member.id,
        architecture=member.architecture,
        virtualization=shown.get("VirtualizationType"),
        ena=shown.get("EnaSupport"),
        root_type=shown.get("RootDeviceType"),
        boot_mode=shown.get("BootMode"),
        tpm=shown.get("TpmSupport"),
    )


def is_in_doubt(fleet: Fleet, machines: Iterable[ObservedImage]) -> bool:
    """Whether it takes a call to tell if types fit an image, and what members were made from.

    Their names say it of nearly all. What a name says and is wrong is refused at the launch.
    """
    return any(map(fleet.says, _OF_SOME_TYPES)) or any(
        _is_special(machine) or any(_by_name(type_) != machine.architecture for type_ in fleet.instance_types)
        for machine in machines
        if machine.architecture or _is_special(machine)
    )


def _is_special(machine: ObservedImage) -> bool:
    """Whether it asks for more than all types of its architecture have."""
    is_plain = machine.virtualization in (None, "hvm") and machine.root_type in (None, "ebs")
    needs_uefi = machine.boot_mode == "uefi" and machine.architecture != "arm64"
    return not is_plain or machine.ena is False or needs_uefi or bool(machine.tpm)


def speaks_against(fleet: Fleet, machines: Iterable[ObservedImage]) -> bool:
    """Whether a name says of a type that an image, or what a member was made from, does not go with it."""
    known = {machine.architecture for machine in machines} - {None}
    return any((named := _by_name(type_)) and known - {named} for type_ in fleet.instance_types)


def _by_name(type_: str) -> str | None:
    """The architecture of an instance type, as far as its name says it."""
    name = _PLAIN.fullmatch(type_)
    return None if name is None else "arm64" if "g" in name["options"] else "x86_64"


def type_problems(fleet: Fleet, image: ObservedImage, types: Iterable[ObservedType]) -> Iterator[Problem]:
    """Which of the fleet's types cannot be launched from the image, or not as the spec has it."""
    for type_ in types:
        if not _has(type_.architectures, image.architecture):
            its = " or ".join(type_.architectures)
            is_any = fleet.image.owner and not fleet.image.architecture
            hint = f"say `architecture: {type_.architectures[0]}` in `image:`" if is_any else _CHOOSE
            yield Problem(f"{type_.name} is {its}, and image {image.id} is {image.architecture}", hint)
        elif message := _misfit(type_, image, f"image {image.id}", "images"):
            yield Problem(message, _CHOOSE)
        for market in fleet.markets:
            if not _has(type_.usages, MARKETS[market]):
                hint = "choose another type, or another `market:`"
                yield Problem(f"{type_.name} cannot be bought as {market}", hint)
        for field, lacks, what in (
            ("ebs_optimized", type_.ebs_optimized == "unsupported", "cannot be EBS-optimised"),
            ("enclave", type_.enclaves == "unsupported", "has no enclaves"),
            ("hibernation", type_.hibernates is False, "cannot hibernate"),
        ):
            if lacks and fleet.says(field):
                yield Problem(f"{type_.name} {what}", f"take out `{field}:`, or choose another type")
        yield from _cpu_problems(fleet, type_)


def _cpu_problems(fleet: Fleet, type_: ObservedType) -> Iterator[Problem]:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/cpu-options-supported-instances-values.html."""
    for field, valid, what in (
        ("core_count", type_.cores, "cores"),
        ("threads_per_core", type_.threads, "threads per core"),
    ):
        wanted = fleet.says(f"cpu_options.{field}")
        if valid and wanted and wanted not in valid:
            may = " or ".join(map(str, valid))
            hint = f"correct `{field}:`, or choose another type"
            yield Problem(f"{type_.name} does not take {wanted} {what}, but {may}", hint)


def _misfit(type_: ObservedType, machine: ObservedImage, named: str, kind: str) -> str | None:
    """Why a type does not run an image, or what a member was made from, of its architecture."""
    if not _has(type_.virtualizations, machine.virtualization):
        return f"{type_.name} does not run {machine.virtualization} {kind} such as {machine.id}"
    if not _has(type_.root_devices, machine.root_type):
        return f"{type_.name} does not start from {machine.root_type}, as {named} does"
    if machine.ena is False and type_.ena == "required":
        return f"{type_.name} needs ENA, and {named} has it not"
    # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ami-boot.html: `uefi-preferred` boots both ways.
    if machine.boot_mode in ("uefi", "legacy-bios") and not _has(type_.boot_modes, machine.boot_mode):
        return f"{type_.name} boots by {' or '.join(type_.boot_modes)}, and {named} by {machine.boot_mode}"
    # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/enable-nitrotpm-prerequisites.html
    if machine.tpm and type_.tpm == "unsupported":
        return f"{type_.name} has no NitroTPM, which {named} is made for"
    return None


def resize_problems(resized: Iterable[Instance], types: Iterable[ObservedType]) -> Iterator[Problem]:
    """Which of the types those members cannot become that are to have one of them: one member for each."""
    machines = [machine_of(member) for member in resized]
    hint = "choose another type, or replace the members with `update: {on_restart: replace}`"
    for type_ in types:
        others = [one for one in machines if not _has(type_.architectures, one.architecture)]
        unlike = (message for one in machines if (message := _misfit(type_, one, one.id, "instances")))
        if others:
            its = " or ".join(type_.architectures)
            is_now = f"{others[0].id} is {others[0].architecture}"
            yield Problem(f"{type_.name} is {its}, and {is_now}", f"{hint} and an image that fits")
        elif message := next(unlike, None):
            yield Problem(message, f"{hint} and an image that fits")


def _has(known: Collection[str], wanted: str | None) -> bool:
    """Whether a type has what is wanted, as far as is known."""
    return not known or not wanted or wanted in known


def platform_problems(fleet: Fleet, image: ObservedImage) -> Iterator[Problem]:
    """What the fleet asks its instances to do and an image cannot, which has no cloud-init.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Image.html: `Platform` is windows, or blank.
    """
    asked = " and ".join(f"`{key}`" for key in asked_by(fleet))
    if asked and (image.platform or "").lower() == "windows":
        yield Problem(
            f"image {image.id} is Windows, and {need_cloud_init(fleet)}",
            f"take {asked} out, or choose another image",
        )


def image_volume_problems(fleet: Fleet, image: ObservedImage) -> Iterator[Problem]:
    """Which volumes an image does not take: its own root device again, or a root that is too small."""
    for volume in fleet.volumes:
        device = volume.device or ""
        if image.root_device and _bare(device) == _bare(image.root_device):
            yield Problem(
                f"{device} is the root device of image {image.id} ({image.root_device})",
                "say it in `root_volume:`, or choose another device",
            )
        elif image.virtualization == "hvm" and device[-1:].isdigit():
            yield Problem(
                f"image {image.id} takes no device with a number, such as {device}", "write /dev/sdf"
            )
    root = fleet.root_volume
    if root is None:
        return
    if root.size_gb and image.root_gb and root.size_gb < image.root_gb:
        yield Problem(
            f"the root volume of image {image.id} has {image.root_gb} GiB, and cannot be made smaller",
            f"write `size_gb: {image.root_gb}` or more",
        )
    if root.encrypted is False and image.root_encrypted:
        message = f"the root volume of image {image.id} is encrypted and stays so"
        yield Problem(message, "take out `encrypted: false`")
    if image.root_volume_type and not root.type and (root.iops or root.throughput):
        own = image.root_volume_type
        for _, message, hint in performance_problems(own, root.iops, root.throughput):
            yield Problem(f"root_volume: {message}", f"{hint} (image {image.id} has {own})")
    type_, size_gb = root.type or image.root_volume_type, root.size_gb or image.root_gb
    # What the spec says by itself was checked with it.
    if type_ and size_gb and not (root.type and root.size_gb):
        for field, message, _ in size_problems(type_, size_gb, root.iops):
            yield Problem(f"root_volume: {message}", f"correct `{field}:` for image {image.id}")


def _bare(device: str) -> str:
    """A device without what may be left out, and without its number: EC2 takes sda and sda1 for one."""
    return re.sub(r"[0-9]+$", "", device.removeprefix("/dev/"))


def tag_problems(fleet: Fleet, members: Iterable[Instance], ignored: Sequence[str]) -> Iterator[Problem]:
    """Which tags of others on members stand in the way of the fleet's own, or of showing them inside."""
    own = {**fleet.tags, **dict.fromkeys((NAME_TAG, LAUNCH_TAG, ASKED_TAG), "")}
    own |= {INDEX_TAG: ""} if fleet.is_indexed else {}
    own |= {READY_TAG: ""} if fleet.ready == CLOUD_INIT else {}
    for member in members:
        stay = staying_tags(member.tags or {}, own, with_keep(ignored, fleet.keep))
        if len(own) + len(stay) > MAX_TAGS:
            yield Problem(
                f"{member.id} would have {len(own) + len(stay)} tags, {len(stay)} of them of others and "
                f"ignored, and EC2 takes {MAX_TAGS}",
                "take some out of the spec, or remove some of the others",
            )
        if fleet.instance_tags == "enabled" and member.instance_tags != "enabled":
            for key in keys_hidden_from_metadata(stay):
                yield Problem(
                    f"{member.id} has the tag {key!r} of others, which cannot be shown in the metadata",
                    "remove it, or set `instance_tags: disabled`",
                )
