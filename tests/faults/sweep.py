"""The environment that all is done to here, what else is in the account, and what is right in the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import local_aws
from tests.support.cloud import REGION, Cloud, tags_of, where
from tests.support.specs import IMAGE, WRITE, having

NAME = "sweep"
BOX = "i-0123456789abcdef0"
NUMBERED, PLAIN = 3, 2
ZONES = ("us-east-1a", "us-east-1b")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILg7TAGkmtokT2dHVKZXke5Od3s7kBUSQD0GSAsPC1BP"

Spec = dict[str, Any]


def sweep_spec(cloud: Cloud, **fields: Any) -> Spec:
    """Two fleets of which one numbers its members, two roles, two profiles, two subnets, an attachment, a key
    pair, and two security groups that name each other. All of it ends after ten hours.
    """
    found = cloud.ec2.describe_subnets(Filters=where("availability-zone", *ZONES))["Subnets"]
    subnets = [subnet["SubnetId"] for subnet in sorted(found, key=lambda row: str(row["AvailabilityZone"]))]
    common = {"image": IMAGE, "instance_type": "t3.micro"}
    spec: Spec = {
        "environment": NAME,
        "region": REGION,
        "tags": {"team": "data"},
        "expires": "10h",
        "roles": {
            "reader": {
                "managed_policies": ["AmazonS3ReadOnlyAccess"],
                "inline_policies": {"write": WRITE},
            },
            "writer": {"managed_policies": ["AmazonS3FullAccess"]},
        },
        "instance_profiles": {"reader": {"role": "reader"}, "writer": {"role": "writer"}},
        "security_groups": {
            "front": {"ingress": [{"port": 22, "cidr": "10.0.0.0/8"}, {"port": 443, "group": "back"}]},
            "back": {"ingress": [{"port": 5432, "group": "front"}], "egress": []},
        },
        "key_pairs": {"admin": {"public_key": KEY}},
        "fleets": {
            "numbered": {
                **common,
                "count": NUMBERED,
                "instance_profile": "reader",
                "subnets": subnets,
                "key_name": "admin",
                "security_groups": ["front"],
                "name": "numbered-{index}",
            },
            "plain": {
                **common,
                "count": PLAIN,
                "instance_profile": "writer",
                "availability_zones": list(ZONES),
            },
        },
        "attachments": {"box": {"instance_profile": "reader", "instances": [BOX]}},
    }
    return having(spec, **fields)


def add_foreign_things(cloud: Cloud) -> None:
    """What belongs to others: similar names, the same account, one of them to be attached to."""
    cloud.stranger(BOX)
    cloud.stranger("i-0aaaaaaaaaaaaaaa1")
    near = {"provisioner:environment": f"{NAME}-2", "provisioner:fleet": "numbered", "Name": "numbered-1"}
    cloud.stranger("i-0aaaaaaaaaaaaaaa2", near)
    cloud.make_role("reader")
    cloud.make_role(f"{NAME}-2-reader", f"/provisioner/{NAME}-2/")
    cloud.make_profile("reader", "reader")
    cloud.make_profile(f"{NAME}-2-reader", f"{NAME}-2-reader", f"/provisioner/{NAME}-2/")
    cloud.ec2.create_security_group(GroupName=f"{NAME}-2-front", Description="of others")
    cloud.ec2.import_key_pair(KeyName=f"{NAME}-2-admin", PublicKeyMaterial=KEY.encode())
    profile = {"Name": "reader"}
    cloud.ec2.associate_iam_instance_profile(InstanceId="i-0aaaaaaaaaaaaaaa1", IamInstanceProfile=profile)


def everything(cloud: Cloud) -> dict[str, Any]:
    """Everything in the account."""
    groups = cloud.ec2.describe_security_groups()["SecurityGroups"]
    names = {group["GroupId"]: group["GroupName"] for group in groups}
    rules: dict[str, set[str]] = {name: set() for name in names.values()}
    for rule in cloud.ec2.describe_security_group_rules()["SecurityGroupRules"]:
        peer = names.get(rule.get("ReferencedGroupInfo", {}).get("GroupId"), rule.get("CidrIpv4"))
        way = "to" if rule["IsEgress"] else "from"
        rules[names[rule["GroupId"]]].add(f"{rule['FromPort']} {way} {peer}")
    keys = cloud.ec2.describe_key_pairs()["KeyPairs"]
    return {
        **cloud.everything(),
        "groups": rules,
        "keys": {key["KeyName"]: tags_of(key) for key in keys},
    }


@dataclass(frozen=True)
class Account:
    """The local AWS with other people's things in it, and the environment's spec as a file."""

    cloud: Cloud
    spec: Path
    before: dict[str, Any]

    @staticmethod
    def prepared(cloud: Cloud, folder: Path, **fields: Any) -> Account:
        """An account in which the environment is not yet; `fields` change the spec."""
        local_aws.control(cloud.server, "reset", {})
        add_foreign_things(cloud)
        spec = folder / "sweep.yaml"
        spec.write_text(yaml.safe_dump(sweep_spec(cloud, **fields), sort_keys=False))
        return Account(cloud, spec, everything(cloud))

    def is_untouched(self) -> None:
        """Asserts that all that was there before is as it was, and nothing else there."""
        assert everything(self.cloud) == self.before

    def is_as_the_spec_says(
        self, numbered: int = NUMBERED, plain: int = PLAIN, may_lack_numbers: bool = False
    ) -> None:
        """Asserts that exactly the spec's things are there besides other people's, which are as they were.

        A fleet that was larger may lack some numbers, because those who stay keep theirs.
        """
        now = everything(self.cloud)
        attached = now["instances"].pop(BOX)
        alone = self.before["instances"][BOX]
        assert attached["Profile"].endswith(f"/provisioner/{NAME}/{NAME}-reader")
        assert {**attached, "Profile": None} == {**alone, "BoundToProfileThatExists": True}
        for kind, things in self.before.items():
            assert {name: thing for name, thing in now[kind].items() if name in things} == {
                name: thing for name, thing in things.items() if name != BOX
            }
        self._has_the_roles(now["roles"], now["profiles"])
        assert {
            name: rules for name, rules in now["groups"].items() if name not in self.before["groups"]
        } == {
            f"{NAME}-front": {"22 from 10.0.0.0/8", f"443 from {NAME}-back", "-1 to 0.0.0.0/0"},
            f"{NAME}-back": {f"5432 from {NAME}-front"},
        }
        assert now["keys"].keys() - self.before["keys"].keys() == {f"{NAME}-admin"}
        self._ends_at_once(now)
        self._has_the_members("numbered", "reader", numbered)
        self._has_the_members("plain", "writer", plain)
        assert len(now["instances"]) == len(self.before["instances"]) - 1 + numbered + plain
        self._has_the_names(numbered, may_lack_numbers)

    def _ends_at_once(self, now: dict[str, Any]) -> None:
        """Whoever launched them, and however often it took: there is one end."""
        members = [thing for name, thing in now["instances"].items() if name not in self.before["instances"]]
        lasting = [now["roles"][f"{NAME}-reader"], now["keys"][f"{NAME}-admin"]]
        tags = [thing.get("Tags", thing) for thing in [*members, *lasting]]
        assert len({tag["provisioner:expires"] for tag in tags}) == 1

    def _has_the_roles(self, roles: dict[str, Any], profiles: dict[str, Any]) -> None:
        ours = {f"{NAME}-reader", f"{NAME}-writer"}
        assert roles.keys() - self.before["roles"].keys() == ours
        assert profiles.keys() - self.before["profiles"].keys() == ours
        reader, writer = roles[f"{NAME}-reader"], roles[f"{NAME}-writer"]
        assert [arn.rsplit("/", 1)[-1] for arn in reader["Attached"]] == ["AmazonS3ReadOnlyAccess"]
        assert reader["Inline"] == {"write": WRITE}
        assert [arn.rsplit("/", 1)[-1] for arn in writer["Attached"]] == ["AmazonS3FullAccess"]
        assert {name: profiles[name]["Roles"] for name in ours} == {name: [name] for name in ours}

    def _has_the_members(self, fleet: str, profile: str, count: int) -> None:
        members = self.cloud.live(NAME, fleet)
        assert len(members) == count
        assert {member["State"]["Name"] for member in members} <= {"running"}
        numbered = fleet == "numbered"
        assert {member.get("KeyName") for member in members} <= {f"{NAME}-admin" if numbered else None}
        groups = {group["GroupName"] for member in members for group in member["SecurityGroups"]}
        assert groups <= {f"{NAME}-front" if numbered else "default"}
        assert {self.cloud.picture_of_instance(member)["BoundToProfileThatExists"] for member in members} <= {
            True
        }
        bound = {member["IamInstanceProfile"]["Arn"].rsplit("/", 1)[-1] for member in members}
        assert bound <= {f"{NAME}-{profile}"}
        per_zone = Counter(member["Placement"]["AvailabilityZone"] for member in members)
        assert per_zone.keys() <= set(ZONES)
        assert max(per_zone[zone] for zone in ZONES) - min(per_zone[zone] for zone in ZONES) <= 1

    def _has_the_names(self, numbered: int, may_lack_numbers: bool) -> None:
        names = Counter(tags_of(member)["Name"] for member in self.cloud.live(NAME))
        plain = names.pop(f"{NAME}-plain", 0)
        assert plain == len(self.cloud.live(NAME, "plain"))
        assert set(names.values()) <= {1}
        numbers = sorted(int(name.removeprefix("numbered-")) for name in names)
        assert may_lack_numbers or numbers == list(range(1, numbered + 1))

    def launched(self) -> int:
        """How many instances the environment has ever had."""
        return len(self.cloud.instances(*where("tag:provisioner:environment", NAME)))
