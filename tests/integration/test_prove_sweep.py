"""Under the printed policy `--prove` says `yes` of each line; with a right gone, `no` of those that need it.

What a line needs is what the local AWS authorised when the same plan was carried out.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

import local_aws
from provisioner.aws.client import Aws, Target
from provisioner.aws.proving import ProvingAws
from provisioner.cli.common import make_plan
from provisioner.kinds import KINDS
from provisioner.proof.prove import prove
from provisioner.proof.verdicts import Proof
from provisioner.spec import load
from tests.support.cloud import REGION, Cloud, is_reading
from tests.support.deployer import (
    Deployer,
    Deploying,
    Policy,
    Right,
    deploying,
    policies_of,
    rights,
    without,
)
from tests.support.program import SPECS, Program
from tests.support.proving import Limited, lines, names_of, needs, not_yes, refused, refusing, writes
from tests.support.tampering import attachable, tamper, tamper_with_attached

ALL_SPECS = sorted(path.name for path in SPECS.glob("*.yaml"))
# What other operations than the one of that name are authorised for, each alone.
DEPENDED_ON = (
    "ec2:CreateTags",
    "ec2:RunInstances",
    "iam:CreateServiceLinkedRole",
    "iam:PassRole",
    "iam:TagInstanceProfile",
    "iam:TagRole",
)
OF_THE_PROOF = (":SimulatePrincipalPolicy", ":DecodeAuthorizationMessage")
# Whose every sort of change is tried as well: together they have all kinds, an end, and nearly all settings.
THROUGHOUT = ("attach-existing.yaml", "two-tier.yaml", "until-evening.yaml", "web-and-db.yaml")
ROUNDS = 4


@pytest.fixture
def deploy(cloud: Cloud, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deploying]:
    yield from deploying(cloud, tmp_path, home, monkeypatch)


def removals(policies: Sequence[Policy]) -> Iterator[list[Right]]:
    """The rights that are taken away, each alone, and some together.

    An action that only its own operation needs stands in the way of no other line: half of those go at once.
    """
    writing = [
        right
        for right in rights(policies)
        if not is_reading(right[0].partition(":")[2]) and not right[0].endswith(OF_THE_PROOF)
    ]
    own = [right for right in writing if right[0] not in DEPENDED_ON]
    yield own[::2]
    yield own[1::2]
    yield from ([right] for right in writing if right[0] in DEPENDED_ON)


class Sweep:
    """One spec and its deployer, with what has been found wrong."""

    def __init__(self, deployer: Deployer, cloud: Cloud, path: Path, policies: Sequence[Policy]) -> None:
        self.deployer = deployer
        self.cloud = cloud
        self.path = path
        self.policies = policies
        self.limited = Limited(cloud, "deployer", policies)
        self.environment = load(str(path), KINDS)
        self.wrong: list[Any] = []

    def try_all(self, what: str, destroying: bool = False, every: int = 1) -> None:
        """Plans, proves the plan with and without rights, and carries it out to know what it needs."""
        aws = Aws(Target(REGION, endpoint_url=self.cloud.server.endpoint_url))
        plan = make_plan(self.environment, aws, destroying, deep=True)

        def ask() -> Proof:
            # With rates of its own: launches would wait for those of the proof before.
            return prove(plan, ProvingAws.over(aws.in_region(REGION)))

        self.cloud.forget_calls()
        proved = ask()
        self.wrong += [(what, "with all rights", verdict) for verdict in not_yes(proved)]
        assert {(str(one.address), one.operation) for one in proved.verdicts} == lines(plan)
        assert [call for call in self.cloud.calls() if writes(call)] == []
        proofs = []
        for gone in list(removals(self.policies))[::every]:
            left = without(self.policies, gone)
            self.limited.set(left)
            proofs.append((gone, left, ask()))
        self.limited.set(self.policies)
        local_aws.clear_authorizations(self.cloud.server)
        program = self.deployer.program
        ran = program.destroy(self.path) if destroying else program.apply(self.path, "--deep")
        assert ran.code == 0, ran.said
        asked = needs(self.deployer.asked(), names_of(self.environment, plan), lines(plan))
        self.wrong += [(what, "nothing was sent", line) for line, items in asked.items() if not items]
        for gone, left, proof in proofs:
            expected, said = refusing(asked, left), refused(proof)
            self.wrong += [(what, gone, "not refused", line) for line in expected - said.keys()]
            self.wrong += [(what, gone, "refused", line) for line in said.keys() - expected]
            actions = {action for action, _ in gone}
            self.wrong += [
                (what, gone, "of another action", verdict)
                for verdict in said.values()
                if verdict.action not in actions
            ]


def swept(name: str, deploy: Deploying, cloud: Cloud, folder: Path, every: int = 1) -> list[Any]:
    """What is wrong about a spec from its making to its end; `every`: one in so many rights is tried."""
    shutil.copytree(SPECS, folder / "specs")
    path = folder / "specs" / name
    policies = policies_of(Program(folder), path, proving=True)
    sweep = Sweep(deploy(policies), cloud, path, policies)
    attached = attachable(cloud, yaml.safe_load(path.read_text()))
    sweep.try_all("made", every=every)
    if name in THROUGHOUT:
        for round_ in range(ROUNDS):
            tamper(cloud, sweep.environment.name, round_)
            tamper_with_attached(cloud, attached, round_)
            sweep.try_all(f"corrected, {round_}")
        sweep.try_all("destroyed", destroying=True)
    return sweep.wrong


def test_a_right_that_is_gone_is_told_at_the_lines_that_need_it(
    deploy: Deploying, cloud: Cloud, tmp_path: Path
) -> None:
    assert swept("outage-collector.yaml", deploy, cloud, tmp_path, every=4) == []


@pytest.mark.long
@pytest.mark.parametrize("name", ALL_SPECS)
def test_each_right_of_each_spec_that_is_gone_is_told_at_the_lines_that_need_it(
    name: str, deploy: Deploying, cloud: Cloud, tmp_path: Path
) -> None:
    assert swept(name, deploy, cloud, tmp_path) == []
