"""Members that run, to be written down in a table."""

from __future__ import annotations

from typing import Any

from provisioner.kinds.fleet.hosts import Host

AL2023 = {"Name": "al2023-ami-2023.5.20240730.0-kernel-6.1-x86_64", "ImageOwnerAlias": "amazon"}


def host(number: int = 7, **differing: Any) -> Host:
    """The member `crunch-worker-07` when nothing but `differing` is said."""
    as_it_is: dict[str, Any] = {
        "alias": f"crunch-worker-{number:02d}",
        "id": f"i-{number:017x}",
        "fleet": "worker",
        "environment": "crunch",
        "type": "t3.micro",
        "zone": "us-east-1a",
        "image_id": "ami-00000000000000001",
        "public_ip": f"203.0.113.{number}",
        "private_ip": f"10.0.0.{number}",
        "key_file": "~/.ssh/id_ed25519",
        "image": AL2023,
        "tags": {"Name": f"worker-{number:02d}"},
    }
    return Host(**as_it_is | differing)
