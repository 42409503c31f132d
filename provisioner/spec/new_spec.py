"""A first spec as text, with comments, from a few answers. What it says, the loader takes as it is."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta

from provisioner.lazy_dataclass import dataclass

IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{architecture}"
# Families of Arm: a1, and those with a g behind the generation, such as t4g and m7gd.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-types.html
_ARM = re.compile(r"(a1|[a-z]+\d+g[a-z]*)\.")
# What YAML does not take for anything but a text.
_PLAIN = re.compile(r"[a-z][a-z0-9-]*[a-z0-9]")
_WORDS = frozenset({"on", "off", "yes", "no", "true", "false", "null", "y", "n"})
EVENING = 18
LEAST = timedelta(hours=2)
DAY_LONG = "8h"


@dataclass(frozen=True)
class Answers:
    """What somebody wants to begin with. `key`: a file in ~/.ssh; None: no key pair. `expires`: as in a spec;
    None: it does not end. `schema`: the path of the JSON Schema from there, if there is one."""

    environment: str
    region: str = "us-east-1"
    count: int = 1
    instance_type: str = "t3.micro"
    key: str | None = None
    expires: str | None = DAY_LONG
    schema: str | None = None


def this_evening(now: datetime) -> str:
    """Six in the evening with the offset of `now`, or eight hours where that is past or near."""
    evening = now.replace(hour=EVENING, minute=0, second=0, microsecond=0)
    return evening.isoformat() if evening - now >= LEAST else DAY_LONG


def new_spec(answers: Answers) -> str:
    """The spec, a line for each thing and a comment for what is not obvious."""
    architecture = "arm64" if _ARM.match(answers.instance_type) else "x86_64"
    schema = [f"# yaml-language-server: $schema={answers.schema}", "#"] if answers.schema else []
    return "\n".join(
        [
            *schema,
            "# Plan it, apply it, and one day destroy it. All fields: docs/spec.md, or `provisioner schema`.",
            f"environment: {_text(answers.environment)}  # owns all of this, and is part of names",
            f"region: {answers.region}",
            '# account_id: "123456789012"  # refuses any other account',
            *_ending(answers.expires),
            "",
            "roles:",
            "  server:",
            "    managed_policies:",
            "      - AmazonSSMManagedInstanceCore  # log in by `aws ssm start-session`",
            "      # - AmazonS3ReadOnlyAccess      # what else the servers may do: AWS's policies by name",
            "",
            "instance_profiles:",
            "  server: {role: server}  # what hands the role to instances",
            "",
            "security_groups:",
            "  ssh:",
            "    ingress:",
            "      - {port: 22, cidr: my_ip}  # your address of now; --refresh-my-ip takes a new one",
            *_keys(answers.key),
            "",
            "fleets:",
            "  server:",
            f"    count: {answers.count}  # applied again, only the difference is launched or terminated",
            "    instance_profile: server",
            "    security_groups: [ssh]",
            *(["    key_name: me"] if answers.key else []),
            "    image:",
            f"      ssm: {IMAGE.format(architecture=architecture)}  # Amazon Linux 2023",
            f"    instance_type: {_text(answers.instance_type)}",
            '    # name: "server-{index:02d}"    # a number for each: `ssh-config` then names them by it',
            "    # user_data: {file: setup.sh}  # what runs at the first boot",
            "",
        ]
    )


def _ending(expires: str | None) -> list[str]:
    if expires is None:
        return ['# expires: 8h  # when all of it ends by itself: a duration, or "2026-11-27T18:00:00+01:00"']
    since = ", counted from the first launch" if re.fullmatch(r"[0-9dhm]+", expires) else ""
    return [f"expires: {json.dumps(expires)}  # all of it ends by itself, also while nobody looks{since}"]


def _keys(key: str | None) -> list[str]:
    if key is None:
        return [
            "",
            "# To log in by SSH: `ssh-keygen -t ed25519`, then these lines, and `key_name: me` in the fleet.",
            "# key_pairs:",
            "#   me: {ssh: id_ed25519.pub}",
        ]
    return [
        "",
        "key_pairs:",
        f"  me: {{ssh: {json.dumps(key)}}}  # the public half, of ~/.ssh; the private one stays where it is",
    ]


def _text(text: str) -> str:
    """A text as YAML takes it for one."""
    is_plain = _PLAIN.fullmatch(text.replace(".", "-")) and text not in _WORDS
    return text if is_plain else json.dumps(text)
