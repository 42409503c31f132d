"""How many calls things take, counted on the local AWS with latency and AWS's request limits switched on.

Counts, not seconds. Every program here is a process of its own, with its own pauses.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import local_aws
from provisioner.aws.client import Target, WritingAws
from provisioner.errors import AwsError
from tests.support.cloud import REGION, Cloud, where
from tests.support.fixtures import Run
from tests.support.specs import having

FIFTY: dict[str, Any] = {
    "environment": "budget",
    "region": "us-east-1",
    "roles": {"worker": {"managed_policies": ["AmazonS3ReadOnlyAccess", "AmazonSSMManagedInstanceCore"]}},
    "instance_profiles": {"worker": {"role": "worker"}},
    "fleets": {
        "worker": {
            "count": 50,
            "instance_profile": "worker",
            "instance_type": "t3.micro",
            "availability_zones": ["us-east-1a", "us-east-1b", "us-east-1c"],
        }
    },
}
MANY = having(
    FIFTY,
    fleets__worker__count=1000,
    **{f"roles__other{number}": {"managed_policies": ["ReadOnlyAccess"]} for number in range(39)},
)

Write = Callable[[Any], Path]


THROTTLED = ("RequestLimitExceeded", "Throttling", "ThrottlingException")


@pytest.fixture
def image(cloud: Cloud) -> str:
    """An image to launch from, with everything as far away and as limited as it is on AWS."""
    newest = [*where("name", "al2023-ami-2*"), *where("architecture", "x86_64")]
    images = cloud.ec2.describe_images(Owners=["amazon"], Filters=newest)["Images"]
    cloud.break_with(latency_ms=60, throttle=True)
    return str(images[0]["ImageId"])


def counted(cloud: Cloud, run: Run, *words: Any) -> Counter[str]:
    """How often each operation is called by a run that ends well, and is never told to call less often."""
    cloud.forget_calls()
    ran = run(*words)
    assert ran.code == 0, ran.said
    assert [call for call in cloud.calls() if call.error in THROTTLED] == []
    return Counter(cloud.operations())


def test_launches_that_are_refused_keep_no_other_waiting(cloud: Cloud) -> None:
    """A thousand instances are there at once, then two a second: the third would be sent after a minute."""
    cloud.break_with(throttle=True)
    aws = WritingAws(Target(REGION, endpoint_url=cloud.server.endpoint_url, is_local=True))
    launch = {"ImageId": "ami-0123456789abcdef0", "MinCount": 1, "MaxCount": 370}
    began = time.monotonic()
    for _ in range(3):
        with pytest.raises(AwsError, match=r"InvalidAMIID\.NotFound"):
            aws.send("ec2", "RunInstances", **launch)
    assert time.monotonic() - began < 30


# Before a profile goes, each other region that is switched on is asked who uses it.
ELSEWHERE = 1 + 16
# At the end it is looked for instances, volumes, groups and key pairs that are left.
LOOKING = 4


def test_fifty_members_from_nothing_to_nothing(cloud: Cloud, run: Run, write: Write, image: str) -> None:
    spec = write(having(FIFTY, fleets__worker__image=image))
    applied = counted(cloud, run, "apply", "--yes", spec)
    assert applied["RunInstances"] == 3
    # With one that tells where members are, for what is said at the end.
    assert applied.total() <= 23
    # Prices are asked once a day: those of types and those of volumes.
    assert len(cloud.price_calls()) <= 2
    assert counted(cloud, run, "plan", "--detailed-exitcode", spec).total() <= 8
    destroyed = counted(cloud, run, "destroy", "--yes", spec)
    assert destroyed["TerminateInstances"] == 1
    assert destroyed.total() <= 19 + ELSEWHERE + LOOKING


@pytest.mark.long
def test_what_only_advises_takes_two_calls_a_day_and_a_third_in_a_month(
    cloud: Cloud, run_on_aws: Run, write: Write, image: str, tmp_path: Path
) -> None:
    """Prices, quotas and types, in a plan of a launch whose other reads take long enough."""
    cloud.break_with(local_aws.delay("DescribeSubnets", 6))
    spec = write(having(FIFTY, fleets__worker__image=image))

    def asked_by_a_plan() -> dict[str, int]:
        cloud.forget_calls()
        ran = run_on_aws("plan", spec, env={"XDG_CACHE_HOME": str(tmp_path)})
        assert ran.code == 0, ran.said
        return {name: number for name, number in cloud.advice().items() if number}

    assert asked_by_a_plan() == {"GetProducts": 2, "GetServiceQuota": 1}
    assert asked_by_a_plan() == {}
    (kept,) = (tmp_path / "provisioner").glob("prices-*")
    data = json.loads(kept.read_text())
    a_day_older = {key: [price, at - 86_400] for key, (price, at) in data["prices"].items()}
    kept.write_text(json.dumps(data | {"prices": a_day_older}))
    assert asked_by_a_plan() == {"GetProducts": 2}


def test_what_fleets_have_in_common_is_asked_once(cloud: Cloud, run: Run, write: Write, image: str) -> None:
    fleet = {**FIFTY["fleets"]["worker"], "count": 1, "image": image, "security_groups": ["default"]}

    def planned(fleets: int) -> Counter[str]:
        spec = having(FIFTY, fleets={f"f{number}": fleet for number in range(fleets)})
        return counted(cloud, run, "plan", write(spec))

    assert planned(12) == planned(1)


def test_all_fleets_of_an_environment_are_terminated_with_one_call(
    cloud: Cloud, run: Run, write: Write, image: str
) -> None:
    fleet = {**FIFTY["fleets"]["worker"], "count": 1, "image": image}
    spec = write(having(FIFTY, fleets={f"f{number}": fleet for number in range(4)}))
    counted(cloud, run, "apply", "--yes", spec)
    destroyed = counted(cloud, run, "destroy", "--yes", spec)
    assert destroyed["TerminateInstances"] == 1
    assert cloud.live() == []


def test_what_was_done_to_a_group_or_a_key_pair_is_looked_at_once(
    cloud: Cloud, run: Run, write: Write, image: str
) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILg7TAGkmtokT2dHVKZXke5Od3s7kBUSQD0GSAsPC1BP"
    groups = {f"g{number}": {"ingress": [{"port": 22, "cidr": "10.0.0.0/8"}]} for number in range(3)}
    budget = {"environment": "budget", "region": "us-east-1"}
    spec = write({**budget, "security_groups": groups, "key_pairs": {"admin": {"public_key": key}}})
    planned = counted(cloud, run, "plan", spec)
    applied = counted(cloud, run, "apply", "--yes", spec)
    looked = applied - planned
    assert looked["DescribeSecurityGroups"] == 3
    assert looked["DescribeKeyPairs"] == 1
    assert applied.total() - planned.total() == (3 + 1) + 2 * 3 + 1
    assert counted(cloud, run, "apply", "--yes", spec)["DescribeSecurityGroups"] == 1


def test_a_newer_image_is_looked_for_beside_the_other_reads(
    cloud: Cloud, run: Run, write: Write, image: str
) -> None:
    parameter = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    spec = write(having(FIFTY, fleets__worker__image={"ssm": parameter}))
    counted(cloud, run, "apply", "--yes", spec)
    assert counted(cloud, run, "plan", "--detailed-exitcode", spec).total() <= 8


@pytest.mark.long
def test_a_thousand_members_and_forty_roles(cloud: Cloud, run: Run, write: Write, image: str) -> None:
    many = having(MANY, fleets__worker__image=image)
    launched = counted(cloud, run, "apply", "--yes", write(many))
    assert launched["RunInstances"] == 3
    assert counted(cloud, run, "plan", "--detailed-exitcode", write(many)).total() <= 14
    tagged = counted(cloud, run, "apply", "--yes", write(having(many, fleets__worker__tags={"stage": "dev"})))
    # A call takes 1000 resources, and each member has a volume.
    assert tagged["CreateTags"] == 2
    terminated = counted(cloud, run, "apply", "--yes", write(having(many, fleets__worker__count=0)))
    assert terminated["TerminateInstances"] == 1


@pytest.mark.long
def test_forty_profiles_are_read_with_two_calls_unless_something_is_to_be_done(
    cloud: Cloud, run: Run, write: Write
) -> None:
    keys = [f"p{number}" for number in range(40)]
    spec = {
        "environment": "budget",
        "region": "us-east-1",
        "roles": {key: {} for key in keys},
        "instance_profiles": {key: {"role": key} for key in keys},
    }
    assert counted(cloud, run, "plan", write(spec))["GetInstanceProfile"] == 0
    assert counted(cloud, run, "apply", "--yes", write(spec))["GetInstanceProfile"] == 0
    planned = counted(cloud, run, "plan", "--detailed-exitcode", write(spec))
    assert planned.total() <= 8
    assert (planned["ListInstanceProfiles"], planned["GetResources"], planned["GetInstanceProfile"]) == (
        1,
        1,
        0,
    )
    # Where the index shows what the spec does not say, it may not have heard of what was done.
    cloud.break_with(tag_index_lag_s=60)
    tagged = having(spec, instance_profiles__p7__tags={"stage": "dev"})
    assert counted(cloud, run, "apply", "--yes", write(tagged))["GetInstanceProfile"] == 40
    after = counted(cloud, run, "plan", "--detailed-exitcode", write(tagged))
    assert (after["GetResources"], after["GetInstanceProfile"]) == (1, 1)
    cloud.break_with(local_aws.denied("tagging:GetResources"))
    assert counted(cloud, run, "plan", "--detailed-exitcode", write(tagged))["GetInstanceProfile"] == 40


class TestMembersGetOtherPermissions:
    OTHER = having(
        FIFTY,
        roles__other={"managed_policies": ["ReadOnlyAccess"]},
        instance_profiles__other={"role": "other"},
    )

    @pytest.mark.long
    def test_by_another_profile_with_one_call_each_at_the_rate_that_aws_allows(
        self, cloud: Cloud, run: Run, write: Write, image: str
    ) -> None:
        """Ten more than the bucket of ReplaceIamInstanceProfileAssociation holds."""
        before = having(self.OTHER, fleets__worker__image=image, fleets__worker__count=60)
        counted(cloud, run, "apply", "--yes", write(before))
        after = having(before, fleets__worker__instance_profile="other")
        replaced = counted(cloud, run, "apply", "--yes", write(after))
        assert replaced["ReplaceIamInstanceProfileAssociation"] == 60
        assert replaced["AssociateIamInstanceProfile"] == 0

    @pytest.mark.long
    def test_by_another_role_in_their_profile_with_two_calls_each(
        self, cloud: Cloud, run: Run, write: Write, image: str
    ) -> None:
        """Two calls would put the other role in, and EC2 could go on with the former one for an hour."""
        before = having(self.OTHER, fleets__worker__image=image)
        counted(cloud, run, "apply", "--yes", write(before))
        after = having(before, instance_profiles__worker__role="other")
        swapped = counted(cloud, run, "apply", "--yes", write(after))
        assert {
            name: number for name, number in swapped.items() if not name.startswith(("Get", "List", "Desc"))
        } == {
            "TagInstanceProfile": 1,
            "RemoveRoleFromInstanceProfile": 1,
            "AddRoleToInstanceProfile": 1,
            "DisassociateIamInstanceProfile": 50,
            "AssociateIamInstanceProfile": 50,
            "UntagInstanceProfile": 1,
        }
