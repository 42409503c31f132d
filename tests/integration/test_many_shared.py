"""Environments that are planned together get the plans that they get alone, with a few calls for all."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import local_aws
from local_aws import Faults, denied, error
from provisioner.apply import Executor
from provisioner.aws.client import Aws, Target, WritingAws
from provisioner.aws.shared_reads import shared
from provisioner.errors import AwsError
from provisioner.kinds import KINDS
from provisioner.kinds.base import Reader
from provisioner.model import Environment, TagIndex
from provisioner.observe import observe
from provisioner.plan import plan
from provisioner.render.as_json import plan_data
from provisioner.spec import load
from tests.support.cloud import Cloud, as_list

NUMBER = 8
SPEC = """
environment: {name}
region: us-east-1
tags: {{team: {team}}}
roles:
  worker: {{managed_policies: [AmazonS3ReadOnlyAccess]}}
instance_profiles:
  worker: {{role: worker}}
security_groups:
  web: {{ingress: [{{protocol: tcp, port: 443, cidr: 0.0.0.0/0}}]}}
fleets:
  worker:
    count: {count}
    instance_type: t3.micro
    image: {{ssm: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64}}
    instance_profile: worker
    security_groups: [web]
"""


def environment(folder: Path, number: int, count: int = 1, team: str = "shop") -> Environment:
    path = folder / f"{number}.yaml"
    # One name is the beginning of another.
    path.write_text(SPEC.format(name=f"e-{number}" if number else "e", count=count, team=team))
    return replace(load(str(path), KINDS), tag_index=TagIndex.ALWAYS)


def connection(cloud: Cloud) -> Aws:
    return Aws(Target("us-east-1", endpoint_url=cloud.server.endpoint_url, is_local=True))


def planned(environment: Environment, reader: Reader) -> Any:
    """The plan as data, or the error; without what could not be checked, as advice that is late is not waited
    for."""
    try:
        made = plan_data(plan(observe(environment, reader, KINDS), KINDS))
    except AwsError as failed:
        return failed.code
    return made | {"notes": [note for note in made["notes"] if "checked" not in note["message"]]}


def planned_together(environments: Sequence[Environment], aws: Aws) -> list[Any]:
    reader = shared(aws, environments)
    with ThreadPoolExecutor(len(environments)) as pool:
        return list(pool.map(lambda one: planned(one, reader), environments))


@pytest.fixture
def there(cloud: Cloud, tmp_path: Path) -> list[Environment]:
    """Environments of which half were applied, and some of those changed by hand or by their spec."""
    aws = connection(cloud)
    environments = [environment(tmp_path, number) for number in range(NUMBER)]
    for one in environments[: NUMBER // 2]:
        made = plan(observe(replace(one, tag_index=TagIndex.NEVER), aws, KINDS), KINDS)
        outcomes = Executor(WritingAws.over(aws), lambda _: None, threading.Event()).execute(made)
        assert all(outcome.is_good for outcome in outcomes)
    cloud.ec2.create_tags(Resources=cloud.ids("e-1"), Tags=as_list({"team": "others"}))
    cloud.ec2.terminate_instances(InstanceIds=cloud.ids("e-2"))
    cloud.iam.tag_instance_profile(InstanceProfileName="e-1-worker", Tags=as_list({"more": "x"}))
    environments[3] = environment(tmp_path, 3, count=2, team="other")
    return environments


# First what shows late, while it is new.
FAULTS = {
    "EC2 shows changes late": Faults(lag_s=30),
    "IAM shows changes late": Faults(iam_lag_s=30),
    "nothing": Faults(),
    "no list of roles": Faults(rules=(denied("GetAccountAuthorizationDetails"),)),
    "no index of tags": Faults(rules=(denied("GetResources"),)),
    "no security groups": Faults(rules=(denied("DescribeSecurityGroups"),)),
    "no instances": Faults(rules=(denied("DescribeInstances"),)),
    "no offerings": Faults(rules=(denied("DescribeInstanceTypeOfferings"),)),
}


@pytest.mark.long
def test_a_plan_made_together_with_others_is_the_one_made_alone(
    cloud: Cloud, there: list[Environment]
) -> None:
    """Plans write nothing, so that one account is enough for all that may be wrong."""
    for wrong, faults in FAULTS.items():
        local_aws.set_faults(cloud.server, faults)
        # All that were applied, and one that was not.
        chosen = there[: NUMBER // 2 + 1]
        alone = [planned(one, connection(cloud)) for one in chosen]
        assert planned_together(chosen, connection(cloud)) == alone, wrong


def test_calls_do_not_grow_with_environments(cloud: Cloud, there: list[Environment]) -> None:
    cloud.forget_calls()
    planned_together(there, connection(cloud))
    # The tags of one profile were changed, and are looked at by themselves.
    asked = Counter(cloud.operations())
    assert asked.total() <= 20, asked
    # Whoever comes too late for a joint question asks the next one, on a busy machine a third.
    assert max(asked.values()) < NUMBER // 2, asked


def test_what_fails_is_told_to_all_and_asked_once(cloud: Cloud, there: list[Environment]) -> None:
    refused = error("DescribeInstances", "AuthFailure", status=401)
    local_aws.set_faults(cloud.server, Faults(rules=(refused,)))
    cloud.forget_calls()
    assert planned_together(there, connection(cloud)) == ["AuthFailure"] * NUMBER
    assert cloud.operations().count("DescribeInstances") == 1
