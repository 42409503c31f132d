"""What an apply ends with: addresses, commands to paste, cost and end."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from provisioner.aws.connect import Options
from provisioner.cli.next_steps import MAKE_VARIABLE, command, next_steps
from provisioner.costs.cost import Cost, CostLine, FleetCost, PlanCost
from provisioner.kinds.fleet.hosts import Host
from provisioner.many.spec_file import SpecFile
from provisioner.model import Address, Login, Plan
from provisioner.render.next_steps import next_data, next_text

LINUX = {"Name": "al2023-ami-2023.9-kernel-6.1-x86_64"}
CORE = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
FLEET = Address("fleet", "worker")
SPEC = SpecFile("crunch.yaml")
COST = PlanCost({FLEET: FleetCost(Cost(), Cost((CostLine("t3.large on demand", 2, Decimal("0.1664")),)))})


def host(number: int, **differing: Any) -> Host:
    plain = Host(
        f"i-{number:017x}", f"i-{number:017x}", "worker", "crunch", "t3.large", "us-east-1a", "ami-1",
        f"198.51.100.{number}", f"10.0.0.{number}", image=LINUX,
    )  # fmt: skip
    return replace(plain, **differing)


def plan(key_name: str | None = None, policies: tuple[str, ...] = (), **more: Any) -> Plan:
    desired = {
        FLEET: {"instance_profile": "worker", "key_name": key_name, **more},
        Address("instance_profile", "worker"): {"role": "worker"},
        Address("role", "worker"): {"managed_policies": policies},
    }
    return Plan("crunch", "eu-west-1", "123456789012", desired=desired, cost=COST)


def said(made: Plan, *hosts: Host, local: bool = False, width: int = 100) -> list[str]:
    steps = next_steps(made, hosts or (host(1), host(2)), SPEC, Options(local=local))
    assert steps
    return next_text(steps, width).plain.splitlines()


OTHERS = ["  provisioner status crunch.yaml", "  provisioner destroy crunch.yaml"]
COSTS = "Costs 0.166 USD/h, about 3.99 USD a day. Runs until it is destroyed."
SSH = "  ssh ec2-user@198.51.100.1"
SESSION = "  aws ssm start-session --region eu-west-1 --target i-00000000000000001"
CONFIG = "  provisioner ssh-config crunch.yaml"


def test_where_members_are_and_what_to_type() -> None:
    assert said(plan()) == ["", "fleet/worker  198.51.100.1  198.51.100.2", *OTHERS, COSTS]


@pytest.mark.parametrize(
    ("situation", "made", "one", "logins"),
    [
        ("a key", plan("me"), host(1), [SSH, CONFIG]),
        (
            "a key in a file",
            plan("me"),
            host(1, key_file="~/.ssh/my key"),
            ["  ssh -i ~/'.ssh/my key' ec2-user@198.51.100.1", CONFIG],
        ),
        ("a key, and an image of whose users nobody knows", plan("me"), host(1, image={"Name": "ours"}), []),
        ("a key for Windows", plan("me"), host(1, image={"Platform": "windows"}), []),
        ("no public address", plan("me"), host(1, public_ip=None), ["  ssh ec2-user@10.0.0.1", CONFIG]),
        ("Session Manager", plan(policies=(CORE,)), host(1), [SESSION]),
        ("both", plan("me", (CORE,)), host(1), [SSH, SESSION, CONFIG]),
        ("a policy that has only a like name", plan(policies=(CORE + "2",)), host(1), []),
        ("a fleet that the spec does not have", plan("me", (CORE,)), host(1, fleet="other"), []),
    ],
)
def test_ways_in(situation: str, made: Plan, one: Host, logins: list[str]) -> None:
    assert said(made, one)[2:-1] == [*logins, *OTHERS]


def test_of_many_ten_are_named_and_the_rest_counted() -> None:
    lines = said(plan(), *(host(number) for number in range(1, 51)), width=300)
    assert lines[1].count("198.51.100.") == 10
    assert lines[1].endswith("  and 40 more")


def test_on_the_local_aws_nobody_is_sent_to_addresses_of_others() -> None:
    lines = said(plan("me", (CORE,)), host(1), local=True)
    assert [line.endswith("# on AWS; the local one has no machines") for line in lines[2:4]] == [True, True]
    assert "  provisioner destroy crunch.yaml --local" in lines


def test_when_it_ends() -> None:
    assert said(plan(expires="2026-11-26 17:00 UTC"))[-1].endswith("Ends 2026-11-26 17:00 UTC.")


def test_commands_are_not_broken() -> None:
    assert SESSION in said(plan(policies=(CORE,)), width=20)


def test_nothing_runs_and_nothing_is_said() -> None:
    assert next_steps(plan(), (), SPEC, Options()) is None


def test_for_programs() -> None:
    steps = next_steps(plan("me"), (host(1),), SPEC, Options())
    assert steps
    data = next_data(steps)
    assert data["fleets"] == {"worker": ["198.51.100.1"]}
    assert data["commands"] == [line.strip() for line in (SSH, CONFIG, *OTHERS)]
    assert data["cost"]["hourly"] == {"before": 0.0, "after": 0.1664}


@pytest.mark.parametrize(
    ("name", "spec", "options", "make", "typed"),
    [
        ("status", SpecFile("a.yaml"), Options(), "", "provisioner status a.yaml"),
        (
            "status",
            SpecFile("my specs/a.yaml"),
            Options(local=True),
            "",
            "provisioner status 'my specs/a.yaml' --local",
        ),
        (
            "destroy",
            SpecFile("a.yaml", "my root", "dev"),
            Options("the work", "http://127.0.0.1:4566"),
            "",
            "provisioner destroy a.yaml --target dev --root 'my root' --profile 'the work' "
            "--endpoint-url http://127.0.0.1:4566",
        ),
        (
            "destroy",
            SpecFile("a.yaml", target="dev"),
            Options(local=True),
            "1",
            "make destroy SPEC=a.yaml TARGET=dev LOCAL=1",
        ),
        (
            "destroy",
            SpecFile("a.yaml", "specs"),
            Options("work"),
            "1",
            "make destroy SPEC=a.yaml ARGS='--root specs --profile work'",
        ),
        ("ssh-config", SpecFile("a.yaml"), Options(), "1", "provisioner ssh-config a.yaml"),
    ],
)
def test_what_was_typed_is_typed_again(
    monkeypatch: pytest.MonkeyPatch, name: str, spec: SpecFile, options: Options, make: str, typed: str
) -> None:
    monkeypatch.setenv(MAKE_VARIABLE, make)
    assert command(name, spec, options) == typed


def test_all_commands_go_to_the_account_of_the_apply() -> None:
    given = Options("work", "https://proxy.example")
    steps = next_steps(plan("me", (CORE,)), (host(1),), SPEC, given)
    assert steps
    which = " --profile work --endpoint-url https://proxy.example"
    assert list(steps.commands) == [line.strip() + which for line in (CONFIG, *OTHERS)]
    assert steps.logins[1] == SESSION.strip().replace(" --target", f"{which} --target")


ROLE = "arn:aws:iam::111122223333:role/deploy"


@pytest.mark.parametrize(
    ("login", "options", "profile"),
    [
        (Login("of the target"), Options(), " --profile 'of the target'"),
        (Login("of the target"), Options("work"), " --profile work"),
        # As a role the program has assumed alone; with --profile it assumes none.
        (Login("of the target", ROLE), Options(), None),
        (Login(role_arn=ROLE), Options(), None),
        (Login(role_arn=ROLE), Options("work"), " --profile work"),
    ],
)
def test_a_session_takes_the_credentials_of_the_apply_or_is_not_shown(
    login: Login, options: Options, profile: str | None
) -> None:
    steps = next_steps(plan(policies=(CORE,)), (host(1),), SPEC, options, login=login)
    assert steps
    typed = [] if profile is None else [SESSION.strip().replace(" --target", f"{profile} --target")]
    assert list(steps.logins) == typed
    assert list(steps.commands) == [line.strip() + " ".join(["", *options.words]) for line in OTHERS]
