"""Which user an image comes with."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.access.users import user_of

# Names as their owners give them.
NAMES = {
    "al2023-ami-2023.5.20240730.0-kernel-6.1-x86_64": "ec2-user",
    "amzn2-ami-kernel-5.10-hvm-2.0.20240719.0-x86_64-gp2": "ec2-user",
    "amzn2-ami-ecs-hvm-2.0.20240725-x86_64-ebs": "ec2-user",
    "amzn-ami-hvm-2018.03.0.20230404-x86_64-ebs": "ec2-user",
    "al2023-ami-ecs-hvm-2023.0.20240725-kernel-6.1-x86_64": "ec2-user",
    "amazon-eks-node-1.30-v20240729": "ec2-user",
    "amazon-eks-node-al2023-x86_64-standard-1.30-v20240729": "ec2-user",
    "amzn-ec2-macos-14.5-20240527-210124-arm64": "ec2-user",
    "bottlerocket-aws-ecs-2-x86_64-v1.20.5-a3e8bda1": "ec2-user",
    "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20240720": "ubuntu",
    "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-arm64-server-20240725": "ubuntu",
    "ubuntu-eks/k8s_1.29/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20240716": "ubuntu",
    "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04) 20240730": "ubuntu",
    "Deep Learning AMI Neuron (Amazon Linux 2023) 20240723": "ec2-user",
    "debian-12-amd64-20240717-1811": "admin",
    "debian-11-arm64-20240717-1811": "admin",
    "RHEL-9.4.0_HVM-20240605-x86_64-82-Hourly2-GP3": "ec2-user",
    "suse-sles-15-sp6-v20240808-hvm-ssd-x86_64": "ec2-user",
    "openSUSE-Leap-15.6-HVM-x86_64-Build": "ec2-user",
    "Rocky-9-EC2-Base-9.4-20240523.0.x86_64": "rocky",
    "AlmaLinux OS 9.4.20240513 x86_64": "ec2-user",
    "CentOS Linux 7 x86_64 HVM EBS ENA 2009_01": "centos",
    "CentOS 7.9.2009 x86_64": "centos",
    "CentOS Stream 8 x86_64 20240603": "centos",
    "CentOS Stream 9 x86_64 20240805": "ec2-user",
    "CentOS Stream 10 x86_64 20250101": "ec2-user",
    "Fedora-Cloud-Base-40-1.14.x86_64-hvm-us-east-1-gp3": "fedora",
    "bitnami-wordpress-6.6.1-0-r05-linux-debian-12-x86_64-hvm-ebs": "bitnami",
    "kali-last-snapshot-amd64-2024.2.0": "kali",
    "Flatcar-stable-3815.2.5-hvm": "core",
    "fedora-coreos-40.20240709.3.1-x86_64": "core",
    "alpine-3.20.2-x86_64-uefi-tiny-r0": "alpine",
    "FreeBSD 14.1-RELEASE-amd64 base UFS": "ec2-user",
    "OL9.4-x86_64-HVM-2024-05-29": "ec2-user",
    "nixos/24.05.3260-x86_64-linux": "root",
    "arch-linux-std-hvm-2024.08.01.x86_64-ebs": "arch",
    "web-2026-11-26": None,
    "golden": None,
    "control-plane": None,
    "": None,
}


@pytest.mark.parametrize("name", NAMES)
def test_by_name(name: str) -> None:
    assert user_of({"Name": name}) == NAMES[name]


OTHERS: dict[str, tuple[dict[str, Any], str | None]] = {
    "nothing known": ({}, None),
    "by its description": ({"Name": "golden", "Description": "Our Ubuntu 24.04 with agents"}, "ubuntu"),
    "the name before the description": ({"Name": "debian-12", "Description": "not Ubuntu"}, "admin"),
    "by the platform": ({"Name": "golden", "PlatformDetails": "Red Hat Enterprise Linux"}, "ec2-user"),
    "a platform that says nothing": ({"Name": "golden", "PlatformDetails": "Linux/UNIX"}, None),
    "by its location": ({"Name": "x", "ImageLocation": "owner/debian-12-amd64"}, "admin"),
    "Windows": ({"Name": "Windows_Server-2022-English", "Platform": "windows"}, "Administrator"),
    "fields that are none": ({"Name": None, "Description": None}, None),
}


@pytest.mark.parametrize("case", OTHERS)
def test_by_what_else_is_said(case: str) -> None:
    image, user = OTHERS[case]
    assert user_of(image) == user
