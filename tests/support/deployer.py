"""Somebody who deploys with the permissions that the program prints, on a local AWS that enforces them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3
import pytest

import local_aws
import provisioner.kinds.fleet.launching.launch
import provisioner.reconcile
import provisioner.waiter
from local_aws import Authorization, Faults
from local_aws.iam.evaluate import Policies, Request, decide
from provisioner.kinds import KINDS
from provisioner.permissions import documents, permissions
from provisioner.rights import Place, Statement
from provisioner.spec import load
from tests.support.cloud import ACCOUNT, REGION, Cloud
from tests.support.program import Program, Spec

Policy = Mapping[str, Any]
# An action, and the Sid of the statement that it is in.
Right = tuple[str, str]
TRUST_ACCOUNT = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": "sts:AssumeRole",
        }
    ],
}


def statements_of(
    program: Program, spec: Spec, wanted: str = "all", proving: bool = False
) -> tuple[Statement, ...]:
    """What a deployer of a spec is to be allowed."""
    environment = load(str(program.write(spec)), KINDS)
    place = Place(environment.name, environment.region, ACCOUNT, "aws")
    return permissions(environment, KINDS, place, wanted, proving)


def policies_of(
    program: Program, spec: Spec, wanted: str = "all", proving: bool = False
) -> list[dict[str, Any]]:
    """The same as the policies that the program prints."""
    return documents(statements_of(program, spec, wanted, proving))


def assume(cloud: Cloud, policies: Sequence[Policy], name: str = "deployer") -> dict[str, str]:
    """Keys of a new role that has these policies, and nothing else."""
    role = cloud.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST_ACCOUNT))["Role"]
    for number, policy in enumerate(policies):
        made = cloud.iam.create_policy(
            PolicyName=f"{name}-{number}", PolicyDocument=json.dumps(policy, separators=(",", ":"))
        )
        cloud.iam.attach_role_policy(RoleName=name, PolicyArn=made["Policy"]["Arn"])
    keys = cloud.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="ci")["Credentials"]
    return {
        "aws_access_key_id": keys["AccessKeyId"],
        "aws_secret_access_key": keys["SecretAccessKey"],
        "aws_session_token": keys["SessionToken"],
    }


class Deployer:
    """The program with the keys of a role, and what policies were asked about for it."""

    def __init__(self, cloud: Cloud, program: Program, keys: Mapping[str, str]) -> None:
        self.cloud = cloud
        self.program = program
        self.keys = keys

    def client(self, service: str, region: str = REGION) -> Any:
        """A client with the same keys, for what the program would not do."""
        return boto3.client(
            service,  # type: ignore[call-overload]
            region_name=region,
            endpoint_url=self.cloud.server.endpoint_url,
            **self.keys,
        )

    def asked(self) -> list[Authorization]:
        return local_aws.authorizations(self.cloud.server)


Deploying = Callable[[Sequence[Policy]], Deployer]


def deploying(cloud: Cloud, folder: Path, home: Path, patch: pytest.MonkeyPatch) -> Iterator[Deploying]:
    """Makes deployers on an empty local AWS that enforces permissions, as on AWS: by keys and an address."""
    for name in ("PROVISIONER_LOCAL", "AWS_PROFILE"):
        patch.delenv(name, raising=False)
    patch.setenv("HOME", str(home))
    patch.setenv("NO_COLOR", "1")
    patch.setenv("AWS_ENDPOINT_URL", cloud.server.endpoint_url)
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    patch.setenv("PROVISIONER_MY_IP", "192.0.2.1")
    patch.setattr(provisioner.waiter, "ROUNDS", (0.01, 0.05))
    patch.setattr(provisioner.reconcile, "PAUSES", (0.01, 0.05, 0.1))
    patch.setattr(provisioner.kinds.fleet.launching.launch, "MAX_MISMATCH_S", 0.3)
    local_aws.set_faults(cloud.server, Faults(enforce_iam=True))

    def make(policies: Sequence[Policy]) -> Deployer:
        keys = assume(cloud, policies)
        for name, value in keys.items():
            patch.setenv(name.upper(), value)
        local_aws.clear_authorizations(cloud.server)
        return Deployer(cloud, Program(folder), keys)

    yield make


def refused(asked: Sequence[Authorization], policies: Sequence[Policy]) -> list[Authorization]:
    """What these policies would have refused of what was asked."""
    return [
        item
        for item in asked
        if not decide(
            Policies(tuple(policies)),
            Request(
                item.action,
                item.resource,
                {
                    key: tuple(value) if isinstance(value, list) else value
                    for key, value in item.context.items()
                },
            ),
        ).is_allowed
    ]


def without_each(policies: Sequence[Policy]) -> Iterator[tuple[str, list[Policy]]]:
    """The policies with one action of one statement taken out, in every way: which, and what is left."""
    for number, policy in enumerate(policies):
        for position, statement in enumerate(policy["Statement"]):
            actions = statement["Action"]
            actions = [actions] if isinstance(actions, str) else actions
            for action in actions:
                rest = [other for other in actions if other != action]
                kept = [*policy["Statement"][:position]]
                kept += [{**statement, "Action": rest}] if rest else []
                kept += policy["Statement"][position + 1 :]
                changed = {**policy, "Statement": kept}
                yield (
                    f"{action} in {statement['Sid']}",
                    [*policies[:number], changed, *policies[number + 1 :]],
                )


def rights(policies: Sequence[Policy]) -> list[Right]:
    """All actions of policies, with the names of the statements that they are in."""
    return [
        (action, statement["Sid"])
        for policy in policies
        for statement in policy["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    ]


def without(policies: Sequence[Policy], gone: Collection[Right]) -> list[Policy]:
    """The policies without actions, each in the statement of that name."""

    def less(statement: dict[str, Any]) -> dict[str, Any]:
        actions = statement["Action"]
        actions = [actions] if isinstance(actions, str) else actions
        kept = [action for action in actions if (action, statement["Sid"]) not in gone]
        return statement if kept == actions else {**statement, "Action": kept}

    return [
        {
            **policy,
            "Statement": [rest for statement in policy["Statement"] if (rest := less(statement))["Action"]],
        }
        for policy in policies
    ]
