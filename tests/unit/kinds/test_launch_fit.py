"""What would be refused when members are launched or were stopped already, and is refused by the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from provisioner.kinds.fleet.observed import ObservedImage
from provisioner.kinds.fleet.read.launch_fit import (
    ObservedType,
    as_type,
    image_volume_problems,
    is_in_doubt,
    machine_of,
    platform_problems,
    resize_problems,
    speaks_against,
    tag_problems,
    type_problems,
)
from provisioner.kinds.fleet.spec import Fleet
from tests.support.build import environment, fleet_of, member
from tests.support.instance_types import instance_types

IMAGE = ObservedImage(
    "ami-1",
    root_device="/dev/xvda",
    architecture="x86_64",
    virtualization="hvm",
    ena=True,
    root_type="ebs",
    root_gb=8,
    root_volume_type="gp3",
    root_encrypted=False,
)
T3 = as_type(
    {
        "InstanceType": "t3.micro",
        "ProcessorInfo": {"SupportedArchitectures": ["x86_64"]},
        "SupportedVirtualizationTypes": ["hvm"],
        "SupportedRootDeviceTypes": ["ebs"],
        "SupportedUsageClasses": ["on-demand", "spot"],
        "NetworkInfo": {"EnaSupport": "required"},
        "EbsInfo": {"EbsOptimizedSupport": "default"},
    }
)
T4G = replace(T3, name="t4g.micro", architectures=("arm64",))
C3 = replace(T3, name="c3.large", architectures=("i386", "x86_64"), virtualizations=("hvm", "paravirtual"))
T2 = replace(T3, name="t2.micro", ena="unsupported", ebs_optimized="unsupported")
MAC = replace(T3, name="mac1.metal", usages=("on-demand",))
SPOT = {"market": "spot"}

# Situation, with a public source where there is one: fields of the fleet, the image, types, what is said.
TYPES: dict[str, tuple[dict[str, Any], ObservedImage, list[ObservedType], list[str]]] = {
    "it fits": ({}, IMAGE, [T3], []),
    "a boot mode that the type has not": (
        {},
        replace(IMAGE, boot_mode="uefi"),
        [replace(T2, boot_modes=("legacy-bios",)), replace(T3, boot_modes=("legacy-bios", "uefi"))],
        ["t2.micro boots by legacy-bios, and image ami-1 by uefi; choose a type or an image that fits"],
    ),
    "an image that boots either way": (
        {},
        replace(IMAGE, boot_mode="uefi-preferred"),
        [replace(T2, boot_modes=("legacy-bios",))],
        [],
    ),
    "one of several architectures": ({}, replace(IMAGE, architecture="i386"), [replace(C3, ena="")], []),
    "an arm type (skypilot-org/skypilot#6315)": (
        {},
        IMAGE,
        [T4G],
        ["t4g.micro is arm64, and image ami-1 is x86_64; choose a type or an image that fits"],
    ),
    "an arm image (terraform-aws-modules/terraform-aws-ec2-instance#157)": (
        {},
        replace(IMAGE, architecture="arm64"),
        [T3],
        ["t3.micro is x86_64, and image ami-1 is arm64; choose a type or an image that fits"],
    ),
    "the newest of both (aws/eks-anywhere-build-tooling#2158)": (
        {"image": {"owner": "amazon", "name": "al2023-*"}},
        replace(IMAGE, architecture="arm64"),
        [T3],
        ["t3.micro is x86_64, and image ami-1 is arm64; say `architecture: x86_64` in `image:`"],
    ),
    "two architectures in one list": (
        {},
        IMAGE,
        [T3, T4G],
        ["t4g.micro is arm64, and image ami-1 is x86_64; choose a type or an image that fits"],
    ),
    "several, none of which fits (gardener/gardener-extension-provider-aws#694)": (
        {},
        replace(IMAGE, architecture="arm64"),
        [C3],
        ["c3.large is i386 or x86_64, and image ami-1 is arm64; choose a type or an image that fits"],
    ),
    "a paravirtual image": (
        {},
        replace(IMAGE, virtualization="paravirtual"),
        [T3, replace(C3, ena="")],
        ["t3.micro does not run paravirtual images such as ami-1; choose a type or an image that fits"],
    ),
    "an image that starts from the host's disks": (
        {},
        replace(IMAGE, root_type="instance-store"),
        [T3],
        [
            "t3.micro does not start from instance-store, as image ami-1 does; "
            "choose a type or an image that fits"
        ],
    ),
    "an image without ENA": (
        {},
        replace(IMAGE, ena=False),
        [T3, T2],
        ["t3.micro needs ENA, and image ami-1 has it not; choose a type or an image that fits"],
    ),
    "a type that is not sold as Spot": (
        SPOT,
        IMAGE,
        [MAC],
        ["mac1.metal cannot be bought as spot; choose another type, or another `market:`"],
    ),
    "a type that cannot be EBS-optimised": (
        {"ebs_optimized": True},
        IMAGE,
        [T2],
        ["t2.micro cannot be EBS-optimised; take out `ebs_optimized:`, or choose another type"],
    ),
    "an image with NitroTPM": (
        {},
        replace(IMAGE, tpm="v2.0"),
        [replace(T2, tpm="unsupported"), replace(T3, tpm="supported")],
        ["t2.micro has no NitroTPM, which image ami-1 is made for; choose a type or an image that fits"],
    ),
    "a type without enclaves": (
        {"enclave": True},
        IMAGE,
        [replace(T3, enclaves="unsupported")],
        ["t3.micro has no enclaves; take out `enclave:`, or choose another type"],
    ),
    "a type that cannot hibernate": (
        {"hibernation": True, "root_volume": {"size_gb": 20, "encrypted": True}},
        IMAGE,
        [replace(T2, hibernates=False), replace(T3, hibernates=True)],
        ["t2.micro cannot hibernate; take out `hibernation:`, or choose another type"],
    ),
    "more cores than the type has": (
        {"cpu_options": {"core_count": 4, "threads_per_core": 1}},
        IMAGE,
        [replace(T3, cores=(1,), threads=(1, 2)), replace(T3, name="c5.xlarge", cores=(2, 4))],
        ["t3.micro does not take 4 cores, but 1; correct `core_count:`, or choose another type"],
    ),
    "fewer threads than the type has": (
        {"cpu_options": {"core_count": 1, "threads_per_core": 1}},
        IMAGE,
        [replace(T3, cores=(1,), threads=(2,))],
        [
            "t3.micro does not take 1 threads per core, but 2; "
            "correct `threads_per_core:`, or choose another type"
        ],
    ),
    "no enclave, on a type without": (
        {"enclave": False},
        IMAGE,
        [replace(T3, enclaves="unsupported")],
        [],
    ),
    "a type that nothing is known of": ({}, IMAGE, [ObservedType("x9.large")], []),
    "an image that nothing is known of": ({}, ObservedImage("ami-1"), [T3, T4G], []),
}


@pytest.mark.parametrize(("fields", "image", "types", "said"), TYPES.values(), ids=TYPES)
def test_type(
    fields: dict[str, Any], image: ObservedImage, types: list[ObservedType], said: list[str]
) -> None:
    assert [str(problem) for problem in type_problems(fleet(**fields), image, types)] == said


# Fields of the fleet, its types, the image, and whether it has to be asked what the types can do.
DOUBTS: dict[str, tuple[dict[str, Any], list[str], ObservedImage, bool]] = {
    "names that say that they fit": (
        {},
        ["t3.micro", "m7i-flex.large", "c6a.large", "t2.micro"],
        IMAGE,
        False,
    ),
    "as Spot": (SPOT, ["t3.micro"], IMAGE, False),
    "an arm image and arm types": (
        {},
        ["t4g.micro", "m7gd.large"],
        replace(IMAGE, architecture="arm64"),
        False,
    ),
    "an image that nothing is known of": ({}, ["t3.micro", "t4g.micro"], ObservedImage("ami-1"), False),
    "one arm type": ({}, ["t3.micro", "im4gn.large"], IMAGE, True),
    "an arm image": ({}, ["t3.micro"], replace(IMAGE, architecture="arm64"), True),
    "an image for Macs": ({}, ["mac2.metal"], replace(IMAGE, architecture="arm64_mac"), True),
    "an old image": ({}, ["m3.large"], replace(IMAGE, virtualization="paravirtual"), True),
    "an image without ENA": ({}, ["t3.micro"], replace(IMAGE, ena=False), True),
    "a name that says nothing": ({}, ["u-6tb1.metal"], IMAGE, True),
    "the first of Graviton": ({}, ["a1.large"], IMAGE, True),
    "EBS-optimised": ({"ebs_optimized": True}, ["t3.micro"], IMAGE, True),
    "an image with NitroTPM": ({}, ["t3.micro"], replace(IMAGE, tpm="v2.0"), True),
    "an enclave": ({"enclave": True}, ["m5.xlarge"], IMAGE, True),
    "CPU options": ({"cpu_options": {"core_count": 1, "threads_per_core": 1}}, ["m5.large"], IMAGE, True),
    "no enclave": ({"enclave": False}, ["m5.xlarge"], IMAGE, False),
    "hibernation": (
        {"hibernation": True, "root_volume": {"size_gb": 20, "encrypted": True}},
        ["m5.large"],
        IMAGE,
        True,
    ),
    "an image that boots by UEFI only": ({}, ["t3.micro"], replace(IMAGE, boot_mode="uefi"), True),
    "one that boots by UEFI, for arm": (
        {},
        ["t4g.micro"],
        replace(IMAGE, architecture="arm64", boot_mode="uefi"),
        False,
    ),
    "one that boots both ways": ({}, ["t2.micro"], replace(IMAGE, boot_mode="uefi-preferred"), False),
}


@pytest.mark.parametrize(("fields", "types", "image", "doubt"), DOUBTS.values(), ids=DOUBTS)
def test_doubt(fields: dict[str, Any], types: list[str], image: ObservedImage, doubt: bool) -> None:
    assert is_in_doubt(fleet(**fields, instance_type=types), [image]) is doubt


ARM = replace(IMAGE, architecture="arm64")
# Types, images, whether a name says that they do not go together.
SUSPICIONS: dict[str, tuple[list[str], list[ObservedImage], bool]] = {
    "names that fit": (["t3.micro"], [IMAGE, IMAGE], False),
    "one of several does not": (["t3.micro", "t4g.micro"], [IMAGE], True),
    "one image of several": (["t4g.micro"], [ARM, IMAGE], True),
    "a name that says nothing": (["u-6tb1.metal"], [IMAGE], False),
    "an image that nothing is known of": (["t4g.micro"], [ObservedImage("ami-1")], False),
}


@pytest.mark.parametrize(("types", "images", "is_so"), SUSPICIONS.values(), ids=SUSPICIONS)
def test_suspicion(types: list[str], images: list[ObservedImage], is_so: bool) -> None:
    assert speaks_against(fleet(instance_type=types), images) is is_so


def test_names_that_say_something_are_right() -> None:
    own = fleet()
    wrong = []
    for name, shown in instance_types().items():
        able = as_type({"InstanceType": name, **shown}).architectures
        named = replace(own, instance_types=(name,))
        fitting = [
            architecture
            for architecture in ("x86_64", "arm64")
            if not is_in_doubt(named, [replace(IMAGE, architecture=architecture)])
        ]
        wrong += [name for architecture in fitting if architecture not in able]
    assert wrong == []


def disk(device: str) -> dict[str, Any]:
    return {"volumes": [{"device": device, "size_gb": 8}]}


ROOT_AGAIN = (
    "is the root device of image ami-1 (/dev/xvda); say it in `root_volume:`, or choose another device"
)

# Situation: fields of the fleet, the image, what is said.
VOLUMES: dict[str, tuple[dict[str, Any], ObservedImage, list[str]]] = {
    "another device": (disk("/dev/sdf"), IMAGE, []),
    "one that only looks like the root (attacksurge/ax#63)": (disk("/dev/sda"), IMAGE, []),
    "the root again": (disk("/dev/xvda"), IMAGE, [f"/dev/xvda {ROOT_AGAIN}"]),
    "the root again, in short": (disk("xvda"), IMAGE, [f"xvda {ROOT_AGAIN}"]),
    "the root again with a number (spotinst/terraform-provider-spotinst#223)": (
        disk("/dev/xvda1"),
        IMAGE,
        [f"/dev/xvda1 {ROOT_AGAIN}"],
    ),
    "the root again without its number (test-kitchen/kitchen-ec2#279)": (
        disk("/dev/sda"),
        replace(IMAGE, root_device="/dev/sda1"),
        [f"/dev/sda {ROOT_AGAIN.replace('xvda', 'sda1')}"],
    ),
    "a number (aws/aws-cli#1071)": (
        disk("/dev/sde1"),
        IMAGE,
        ["image ami-1 takes no device with a number, such as /dev/sde1; write /dev/sdf"],
    ),
    "a number on a paravirtual image": (disk("/dev/sde1"), replace(IMAGE, virtualization="paravirtual"), []),
    "a larger root": ({"root_volume": {"size_gb": 9}}, IMAGE, []),
    "a smaller root": (
        {"root_volume": {"size_gb": 7}},
        IMAGE,
        [
            "the root volume of image ami-1 has 8 GiB, and cannot be made smaller; "
            "write `size_gb: 8` or more",
        ],
    ),
    "an encrypted root, not to be": (
        {"root_volume": {"encrypted": False}},
        replace(IMAGE, root_encrypted=True),
        ["the root volume of image ami-1 is encrypted and stays so; take out `encrypted: false`"],
    ),
    "a root too small for its type": (
        {"root_volume": {"type": "io1", "iops": 1000}},
        IMAGE,
        [
            "root_volume: io1 takes at most 50 for each GiB: 400 for 8 GiB, found 1000; "
            "correct `iops:` for image ami-1",
        ],
    ),
    "performance for a root of the image's type": (
        {"root_volume": {"iops": 4000, "throughput": 250}},
        replace(IMAGE, root_volume_type="gp3"),
        [],
    ),
    "performance that the image's type does not take": (
        {"root_volume": {"iops": 4000, "throughput": 250}},
        replace(IMAGE, root_volume_type="gp2"),
        [
            "root_volume: gp2 takes no iops; use it with gp3, io1, io2 (image ami-1 has gp2)",
            "root_volume: gp2 takes no throughput; use it with gp3 (image ami-1 has gp2)",
        ],
    ),
    "a root too large for the image's type": (
        {"root_volume": {"size_gb": 2000}},
        replace(IMAGE, root_volume_type="standard"),
        ["root_volume: standard takes from 1 to 1024 GiB, found 2000; correct `size_gb:` for image ami-1"],
    ),
    "an image that nothing is known of": (disk("/dev/xvda"), ObservedImage("ami-1"), []),
}


@pytest.mark.parametrize(("fields", "image", "said"), VOLUMES.values(), ids=VOLUMES)
def test_volume(fields: dict[str, Any], image: ObservedImage, said: list[str]) -> None:
    assert [str(problem) for problem in image_volume_problems(fleet(**fields), image)] == said


@pytest.mark.parametrize(
    ("fields", "platform", "said"),
    [
        ({}, "windows", []),
        ({"ready": "status_ok"}, "windows", []),
        ({"ready": "cloud_init"}, None, []),
        (
            {"ready": "cloud_init"},
            "windows",
            ["image ami-1 is Windows, and `ready: cloud_init` needs cloud-init"],
        ),
        ({"expires": "8h"}, "Windows", ["image ami-1 is Windows, and `expires` needs cloud-init"]),
        (
            {"ready": "cloud_init", "expires": "8h"},
            "windows",
            ["image ami-1 is Windows, and `expires` and `ready: cloud_init` need cloud-init"],
        ),
    ],
)
def test_what_instances_are_to_do_by_cloud_init_is_not_for_windows(
    fields: dict[str, Any], platform: str | None, said: list[str]
) -> None:
    found = platform_problems(fleet(**fields), replace(IMAGE, platform=platform))
    assert [problem.message for problem in found] == said


def test_members_become_no_type_of_another_architecture() -> None:
    own = fleet()
    there = [member(1, own, architecture="x86_64"), member(2, own)]
    assert list(resize_problems(there, [T3])) == []
    (said,) = resize_problems(there, [T3, T4G])
    assert said.message == "t4g.micro is arm64, and i-01 is x86_64"


# What members show of themselves, the type that they are to become, what is said.
RESIZES: dict[str, tuple[dict[str, Any], ObservedType, str]] = {
    "it fits": ({"VirtualizationType": "hvm", "EnaSupport": True, "BootMode": "uefi-preferred"}, T3, ""),
    "without ENA": ({"EnaSupport": False}, T3, "t3.micro needs ENA, and i-02 has it not"),
    "paravirtual": (
        {"VirtualizationType": "paravirtual"},
        T3,
        "t3.micro does not run paravirtual instances such as i-02",
    ),
    "booted by UEFI": (
        {"BootMode": "uefi"},
        replace(T2, boot_modes=("legacy-bios",)),
        "t2.micro boots by legacy-bios, and i-02 by uefi",
    ),
    "with NitroTPM": (
        {"TpmSupport": "v2.0"},
        replace(T2, tpm="unsupported"),
        "t2.micro has no NitroTPM, which i-02 is made for",
    ),
}


@pytest.mark.parametrize(("shown", "type_", "said"), RESIZES.values(), ids=RESIZES)
def test_what_members_cannot_become(shown: dict[str, Any], type_: ObservedType, said: str) -> None:
    own = fleet(instance_type="t3.nano")
    there = [member(1, own, architecture="x86_64"), member(2, own, architecture="x86_64", described=shown)]
    assert [problem.message for problem in resize_problems(there, [type_])] == ([said] if said else [])
    assert is_in_doubt(own, map(machine_of, there)) is bool(said)


SHOWN = {"metadata": {"instance_tags": "enabled"}}
# Situation: fields of the fleet, tags of others, how the metadata shows tags now, how what is said begins.
TAGS: dict[str, tuple[dict[str, Any], Mapping[str, str], str, str]] = {
    "none": ({}, {}, "disabled", ""),
    "few": ({}, {f"theirs:{number}": "x" for number in range(44)}, "disabled", ""),
    "too many": (
        {},
        {f"theirs:{number}": "x" for number in range(46)},
        "disabled",
        "i-01 would have 51 tags, 46",
    ),
    "AWS's own": ({}, {f"aws:{number}": "x" for number in range(46)}, "disabled", ""),
    "some that go": ({}, {f"old:{number}": "x" for number in range(46)}, "disabled", ""),
    "one that cannot be shown": (
        SHOWN,
        {"theirs:a/b": "x"},
        "disabled",
        "i-01 has the tag 'theirs:a/b' of others",
    ),
    "one that can": (SHOWN, {"theirs:a.b": "x"}, "disabled", ""),
    "one that need not be shown": ({}, {"theirs:a/b": "x"}, "disabled", ""),
    "what EC2 shows already": (SHOWN, {"theirs:a.b": "x"}, "enabled", ""),
}


@pytest.mark.parametrize(("fields", "tags", "shown", "said"), TAGS.values(), ids=TAGS)
def test_tags_of_others(fields: dict[str, Any], tags: Mapping[str, str], shown: str, said: str) -> None:
    own = fleet(**fields)
    there = [member(1, own, tags=dict(tags), instance_tags=shown)]
    found = list(tag_problems(own, there, ["theirs:*"]))
    assert (found[0].message.startswith(said) and len(found) == 1) if said else found == []


def fleet(**fields: Any) -> Fleet:
    """A fleet with these fields."""
    own = {"count": 2, "image": "ami-00000000000000001", "instance_type": "t3.micro", **fields}
    return fleet_of(environment(fleets={"web": own}))
