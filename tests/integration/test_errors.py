"""What people are told when something is wrong: what failed, what of, and the way out; never a traceback.

`run` itself checks the last of these, of every process.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import local_aws
from tests.support.cloud import Cloud
from tests.support.fixtures import Run
from tests.support.program import IMPATIENT, ROOT, SPECS, Program, clean_environment, command, run_process
from tests.support.specs import IMAGE, PROBE, ROLES_ONLY, having

TWO_ROLES = having(ROLES_ONLY, roles__spare={})


@pytest.fixture
def spec(program: Program) -> Path:
    return program.write(ROLES_ONLY)


class TestCredentials:
    def test_that_are_missing_are_asked_for(self, spec: Path, run_on_aws: Run, cloud: Cloud) -> None:
        ran = run_on_aws("plan", spec, env={"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None})
        assert ran.code == 1
        assert "NoCredentials" in ran.err
        for way_out in ("access keys", "--profile", "aws sso login", "--local"):
            assert way_out in ran.err
        assert cloud.operations() == []

    def test_of_a_profile_that_does_not_exist_are_not_looked_for_elsewhere(
        self, spec: Path, run_on_aws: Run, cloud: Cloud
    ) -> None:
        ran = run_on_aws("plan", spec, "--profile", "nobody")
        assert ran.code == 1
        assert "nobody" in ran.err
        assert "aws configure list-profiles" in ran.err
        assert cloud.operations() == []

    def test_that_have_expired_are_to_be_renewed(self, spec: Path, run_on_aws: Run, cloud: Cloud) -> None:
        text = "The security token included in the request is expired"
        cloud.break_with(local_aws.error("*", "ExpiredToken", text, status=403))
        ran = run_on_aws("apply", "--yes", spec)
        assert ran.code == 1
        assert "ExpiredToken" in ran.err
        assert "aws sso login" in ran.err
        assert cloud.writes() == []

    def test_that_aws_does_not_know_are_to_be_checked(
        self, spec: Path, run_on_aws: Run, cloud: Cloud
    ) -> None:
        cloud.break_with(local_aws.error("*", "InvalidClientTokenId", "The token is invalid.", status=403))
        ran = run_on_aws("plan", spec)
        assert ran.code == 1
        assert "AWS_ACCESS_KEY_ID" in ran.err

    def test_of_the_users_own_are_never_used_for_the_local_aws(
        self, spec: Path, run: Run, home: Path
    ) -> None:
        ran = run("plan", spec, env={"AWS_PROFILE": "nobody", "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"})
        assert ran.code == 0
        assert "LOCAL" in ran.out


class TestNetwork:
    @pytest.mark.long
    def test_that_is_not_there_is_said_with_what_was_tried(self, spec: Path, home: Path) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{closed.getsockname()[1]}"
            environment = clean_environment(home, AWS_ACCESS_KEY_ID="key", AWS_SECRET_ACCESS_KEY="secret")
            arguments = ["plan", str(spec), "--endpoint-url", url]
            ran = run_process([sys.executable, "-c", IMPATIENT, *arguments], environment)
        assert ran.code == 1
        assert "NetworkError" in ran.err
        assert url in ran.err
        assert "--endpoint-url" in ran.err

    def test_that_drops_replies_does_no_harm(self, program: Program, cloud: Cloud) -> None:
        cloud.break_with(
            local_aws.drop_reply("RunInstances", times=2),
            local_aws.drop_reply("CreateRole", times=1),
            local_aws.drop_reply("CreateInstanceProfile", times=1),
            local_aws.drop_request("DescribeInstances", times=1),
        )
        applied = program.apply(PROBE)
        assert applied.code == 0, applied.said
        cloud.mend()
        assert len(cloud.ids()) == 2
        assert program.plan(PROBE).told == set()

    def test_with_an_endpoint_that_is_no_address_is_a_message(self, spec: Path, run_on_aws: Run) -> None:
        ran = run_on_aws("plan", spec, "--endpoint-url", "nonsense")
        assert ran.code in (1, 3)
        assert "nonsense" in ran.err


def test_a_reset_of_the_local_aws_ends_the_apply_that_is_under_way(
    program: Program, cloud: Cloud, local_environment: dict[str, str]
) -> None:
    cloud.break_with(boot_s=3600.0)
    arguments = command(["apply", "--yes", str(program.write(PROBE))])
    with subprocess.Popen(
        arguments, env=local_environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as ran:
        while "RunInstances" not in cloud.operations():
            assert ran.poll() is None
            time.sleep(0.1)
        local_aws.control(cloud.server, "reset", {})
        out, _ = ran.communicate(timeout=60)
    assert ran.returncode == 1
    assert "the local AWS was emptied" in " ".join(out.decode().split())
    assert "bug" not in out.decode()


class TestTraffic:
    def test_that_is_too_much_for_a_while_is_waited_for(self, program: Program, cloud: Cloud) -> None:
        text = "Request limit exceeded."
        cloud.break_with(
            local_aws.error("ec2:*", "RequestLimitExceeded", text, status=503, nth=(2, 4, 5)),
            local_aws.error("iam:*", "Throttling", "Rate exceeded", status=400, nth=(1, 7, 9)),
        )
        assert program.apply(PROBE).code == 0
        cloud.mend()
        assert len(cloud.ids()) == 2
        assert program.plan(PROBE).told == set()

    def test_that_is_too_much_for_ever_is_an_error(
        self, spec: Path, local_environment: dict[str, str], cloud: Cloud
    ) -> None:
        cloud.break_with(local_aws.error("iam:CreateRole", "Throttling", "Rate exceeded", status=400))
        arguments = ["apply", "--yes", str(spec)]
        ran = run_process([sys.executable, "-c", IMPATIENT, *arguments], local_environment)
        assert ran.code == 1
        assert "iam CreateRole" in ran.words
        assert "Rate exceeded" in ran.words
        assert "instance_profile/worker" in ran.words


class TestPermissions:
    @pytest.mark.parametrize(
        ("operation", "code"),
        [
            ("sts:GetCallerIdentity", "AccessDenied"),
            ("iam:ListRoles", "AccessDenied"),
            ("iam:ListInstanceProfiles", "AccessDenied"),
            ("ec2:DescribeInstances", "UnauthorizedOperation"),
        ],
    )
    def test_to_read_that_are_missing_are_named(
        self, operation: str, code: str, program: Program, cloud: Cloud
    ) -> None:
        cloud.break_with(local_aws.denied(operation))
        ran = program.apply(PROBE)
        assert ran.code == 1
        assert operation.replace(":", " ") in ran.err
        assert code in ran.err
        assert f"need the permission {operation}" in ran.err
        assert cloud.writes() == []

    def test_to_look_for_policies_are_not_required(self, program: Program, cloud: Cloud) -> None:
        cloud.break_with(local_aws.denied("iam:GetPolicy"))
        assert program.apply(PROBE).code == 0

    def test_to_launch_that_are_missing_leave_the_rest_done_and_the_next_apply_finishes(
        self, run: Run, program: Program, cloud: Cloud
    ) -> None:
        cloud.break_with(local_aws.denied("ec2:RunInstances"))
        ran = run("apply", "--yes", program.write(PROBE))
        assert ran.code == 1
        assert "UnauthorizedOperation" in ran.words
        assert "ec2 RunInstances" in ran.words
        assert "need the permission ec2:RunInstances" in ran.words
        summary = ran.out.splitlines()
        became = {"role/worker": "done", "instance_profile/worker": "done", "fleet/worker": "failed"}
        for address, word in became.items():
            assert any(line.startswith(word) and address in line for line in summary), ran.out
        assert cloud.roles() == cloud.profiles() == ["probe-worker"]
        assert cloud.ids() == []

        cloud.mend()
        again = program.apply(PROBE)
        assert again.code == 0
        assert again.became("done") == ["fleet/worker"]
        assert len(cloud.ids()) == 2
        assert program.plan(PROBE).told == set()

    def test_that_are_missing_in_the_middle_stop_only_what_needs_it(
        self, program: Program, cloud: Cloud
    ) -> None:
        spec = having(
            PROBE,
            roles__spare={},
            instance_profiles__spare={"role": "spare"},
            fleets__free={"count": 1, "image": IMAGE, "instance_type": "t3.micro"},
        )
        cloud.break_with(local_aws.denied("iam:AttachRolePolicy"))
        applied = program.apply(spec)
        assert applied.code == 1
        assert applied.became("failed") == ["role/worker"]
        assert set(applied.became("skipped")) == {"instance_profile/worker", "fleet/worker"}
        assert set(applied.became("done")) == {"role/spare", "instance_profile/spare", "fleet/free"}
        (failed,) = applied.data["failed"]
        assert failed["failure"]["operation"] == "iam AttachRolePolicy"
        assert failed["failure"]["code"] == "AccessDenied"
        assert failed["failure"]["hint"]

        cloud.mend()
        assert program.apply(spec).code == 0
        assert program.plan(spec).told == set()

    @pytest.mark.parametrize(
        "operation",
        [
            "iam:CreateRole",
            "iam:PutRolePolicy",
            "iam:CreateInstanceProfile",
            "iam:AddRoleToInstanceProfile",
            "ec2:RunInstances",
            "ec2:CreateTags",
        ],
    )
    @pytest.mark.sampled
    def test_to_write_anything_that_come_later_let_the_next_apply_finish(
        self, operation: str, program: Program, cloud: Cloud
    ) -> None:
        spec = having(PROBE, fleets__worker__name="server-{index}")
        cloud.break_with(local_aws.denied(operation))
        first = program.apply(spec)
        assert first.code == 1
        assert operation.replace(":", " ") in {
            failed["failure"]["operation"] for failed in first.data["failed"]
        }
        cloud.mend()
        assert program.apply(spec).code == 0
        assert len(cloud.ids()) == 2
        assert program.plan(spec).told == set()

    @pytest.mark.parametrize(
        "operation",
        [
            "ec2:TerminateInstances",
            "iam:RemoveRoleFromInstanceProfile",
            "iam:DeleteInstanceProfile",
            "iam:DetachRolePolicy",
            "iam:DeleteRole",
        ],
    )
    @pytest.mark.sampled
    def test_to_delete_anything_that_come_later_let_the_next_destroy_finish(
        self, operation: str, program: Program, cloud: Cloud
    ) -> None:
        program.apply(PROBE)
        cloud.break_with(local_aws.denied(operation))
        assert program.destroy(PROBE).code == 1
        cloud.mend()
        assert program.destroy(PROBE).code == 0
        assert cloud.live() == []
        assert cloud.roles() == cloud.profiles() == []


class TestCapacity:
    def test_of_one_type_that_ran_out_is_made_up_by_the_next(self, program: Program, cloud: Cloud) -> None:
        cloud.break_with(capacity=(local_aws.Capacity(1, "t3.large"),))
        zone = {"availability_zones": ["us-east-1a"], "instance_type": ["t3.large", "t3a.large"]}
        spec = having(PROBE, fleets__worker__count=4, **{f"fleets__worker__{k}": v for k, v in zone.items()})
        assert program.apply(spec).code == 0
        assert sorted(member["InstanceType"] for member in cloud.live()) == ["t3.large"] + ["t3a.large"] * 3
        assert program.plan(spec).told == set()

    def test_that_ran_out_for_good_fails_and_keeps_what_there_is(
        self, program: Program, cloud: Cloud
    ) -> None:
        cloud.break_with(capacity=(local_aws.Capacity(1),))
        spec = having(PROBE, fleets__worker__count=3, fleets__worker__availability_zones=["us-east-1a"])
        applied = program.apply(spec)
        assert applied.code == 1
        assert "InsufficientInstanceCapacity" in applied.out
        assert len(cloud.ids()) == 1
        cloud.mend()
        assert program.apply(spec).code == 0
        assert len(cloud.ids()) == 3

    def test_that_ran_out_does_not_hold_up_a_destroy(
        self, program: Program, local_environment: dict[str, str], cloud: Cloud
    ) -> None:
        cloud.break_with(capacity=(local_aws.Capacity(1),))
        spec = having(PROBE, fleets__worker__count=3, fleets__worker__availability_zones=["us-east-1a"])
        program.apply(spec)
        # Not ten minutes, in which more of the launch might show: all that it got is known from its token.
        destroyed = run_process(
            command(["destroy", "--yes", str(program.write(spec))]), local_environment, timeout=20
        )
        assert destroyed.code == 0
        assert cloud.live() == []


class TestTheCommandLine:
    def test_for_another_account_is_refused_after_asking_whose_credentials_these_are(
        self, run: Run, program: Program, cloud: Cloud
    ) -> None:
        spec = program.write(having(PROBE, account_id="210987654321"))
        for ran in (
            run("plan", spec),
            program.run("apply", "--yes", spec),
            program.run("destroy", "--yes", spec),
            program.run("status", spec),
        ):
            assert ran.code == 3
            assert "210987654321" in ran.err
            assert "123456789012" in ran.err
        assert set(cloud.operations()) == {"GetCallerIdentity"}

    @pytest.mark.parametrize("command", ["apply", "destroy"])
    def test_without_yes_and_without_a_terminal_sends_nothing(
        self, command: str, spec: Path, run: Run, cloud: Cloud
    ) -> None:
        ran = run(command, spec, stdin="y\nprobe\n")
        assert ran.code == 3
        assert "--yes" in ran.err
        assert cloud.operations() == []

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["aply", "x.yaml"], "apply"),
            (["plan", "--frobnicate", "x.yaml"], "--frobnicate"),
            (["plan"], "SPEC"),
            (["plan", "--format", "xml", "x.yaml"], "xml"),
            (["plan", "there-is-no-such-spec.yaml"], "there-is-no-such-spec.yaml"),
            (["validate", "there-is-no-such-spec.yaml"], "there-is-no-such-spec.yaml"),
            (["apply", "--yes", "."], "."),
            (["plan", "--skip-region", "eu-west-1,us-eats-1", str(SPECS / "rolling.yaml")], "us-east-1"),
            (["local", "upp"], "up"),
            (["completion", "tcsh"], "tcsh"),
        ],
        ids=lambda value: " ".join(value).replace(f"{SPECS}/", "") if isinstance(value, list) else "",
    )
    def test_that_is_wrong_is_answered_with_what_would_be_right(
        self, arguments: list[str], said: str, program: Program, cloud: Cloud
    ) -> None:
        ran = program.run(*arguments)
        assert ran.code == 3
        assert said in ran.err
        assert ran.out == ""
        assert cloud.operations() == []

    def test_with_a_broken_spec_sends_nothing(self, tmp_path: Path, program: Program, cloud: Cloud) -> None:
        broken = tmp_path / "broken.yaml"
        broken.write_text("environment: probe\nregion: us-east-1\nfleets:\n  worker:\n    instance_typ: x\n")
        for words in (["plan"], ["apply", "--yes"], ["destroy", "--yes"], ["status"], ["validate"]):
            ran = program.run(*words, broken)
            assert ran.code == 3
            assert f"{broken}:5:5" in ran.err
            assert "did you mean instance_type?" in ran.err
        assert cloud.operations() == []

    def test_cannot_mean_the_local_aws_and_another_at_once(self, spec: Path, program: Program) -> None:
        for option in (["--profile", "me"], ["--endpoint-url", "http://127.0.0.1:1"]):
            assert program.run("plan", "--local", *option, spec).code == 3

    def test_works_from_any_folder(self, run: Run, tmp_path: Path) -> None:
        assert run("validate", *sorted(SPECS.glob("*.yaml")), cwd=tmp_path).code == 0
        assert run("validate", "fifty-servers.yaml", cwd=SPECS).code == 0
        assert tmp_path != ROOT


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"security_groups": ["no-such-group"]}, "no-such-group"),
        ({"subnets": ["subnet-0123456789abcdef0"]}, "subnet-0123456789abcdef0"),
        ({"subnets": {"tags": {"tier": "none"}}}, "tier"),
        ({"availability_zones": ["us-east-1z"]}, "us-east-1z"),
        ({"image": "ami-0123456789abcdef0"}, "ami-0123456789abcdef0"),
        ({"image": {"ssm": "/no/such/parameter"}}, "/no/such/parameter"),
        ({"image": {"owner": "amazon", "name": "no-such-image-*"}}, "no-such-image-*"),
        ({"key_name": "nobody"}, "nobody"),
        ({"instance_type": "t9.gigantic"}, "t9.gigantic"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_what_a_fleet_names_and_aws_does_not_have_is_named_before_anything_is_made(
    settings: dict[str, object], said: str, program: Program, cloud: Cloud
) -> None:
    spec = having(PROBE, **{f"fleets__worker__{key}": value for key, value in settings.items()})
    applied = program.apply(spec)
    assert applied.code == 1
    assert "fleet/worker" in applied.words
    assert said in applied.words
    assert cloud.writes() == []


@pytest.mark.parametrize("field", ["managed_policies", "permissions_boundary"])
@pytest.mark.sampled
def test_a_policy_that_does_not_exist_is_named_with_the_one_that_may_have_been_meant(
    field: str, program: Program, cloud: Cloud
) -> None:
    wrong = "AmazonS3ReadOnlyAcess"
    spec = having(ROLES_ONLY, roles__worker={field: [wrong] if field == "managed_policies" else wrong})
    applied = program.apply(spec)
    assert applied.code == 1
    assert wrong in applied.words
    assert "did you mean AmazonS3ReadOnlyAccess?" in applied.words
    assert cloud.writes() == []


def test_a_region_that_does_not_exist_is_told(program: Program) -> None:
    ran = program.plan_or_error(having(PROBE, region="us-esat-1"))
    assert ran.code == 3
    assert 'there is no region "us-esat-1"' in ran.err
    assert 'did you mean "us-east-1"?' in ran.err
    ran = program.plan_or_error(having(PROBE, region="us-esat-1", skip_region_validation=True))
    assert ran.code == 1
    assert "There is no region us-esat-1" in ran.err
    assert "check `region:`" in ran.err


def test_a_launch_that_ends_for_a_key_that_there_is_not_says_where_to_look(program: Program) -> None:
    """EC2 accepts it, and terminates the instance.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/troubleshooting-launch.html
    """
    disk = {"device": "/dev/sdf", "size_gb": 5, "encrypted": True, "kms_key_id": "alias/none-such"}
    worker = {"count": 1, "image": IMAGE, "instance_type": "t3.micro", "volumes": [disk]}
    ran = program.apply({"environment": "probe", "region": "us-east-1", "fleets": {"worker": worker}})
    assert ran.code == 1
    assert "check `kms_key_id`" in ran.words
