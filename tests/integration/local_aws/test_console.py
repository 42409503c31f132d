"""The console output of the local AWS is as AWS documents it: none at first, the latest on Nitro only."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from local_aws import Faults, LocalAws, advance, end_user_data, set_faults
from local_aws.errors import LocalAwsError
from provisioner.kinds.fleet.readiness.console import Result, result_in
from provisioner.kinds.fleet.user_data.parts import compose_with
from tests.integration.local_aws.helpers import launch_one, refused

TELLING = compose_with(b"#!/bin/sh\necho hello\n", "ready")


def output(ec2: Any, instance: str, latest: bool = True) -> str:
    return str(ec2.get_console_output(InstanceId=instance, Latest=latest).get("Output") or "")


@pytest.mark.correction("console-output")
def test_it_tells_of_the_first_boot_when_that_has_ended(local: LocalAws, ec2: Any, image: str) -> None:
    set_faults(local, Faults(boot_s=20, user_data_s=50))
    instance = launch_one(ec2, image, UserData=TELLING, InstanceType="t3.micro")
    assert output(ec2, instance) == ""
    advance(local, 25)
    assert "Linux version" in output(ec2, instance)
    assert result_in(output(ec2, instance), instance) is None
    advance(local, 50)
    assert result_in(output(ec2, instance), instance) == Result()
    assert "finished. Up" in output(ec2, instance)
    ec2.reboot_instances(InstanceIds=[instance])
    assert output(ec2, instance).count("user data finished") == 2


@pytest.mark.correction("console-output-latest")
def test_the_latest_is_for_types_built_on_nitro(local: LocalAws, ec2: Any, image: str) -> None:
    set_faults(local, Faults(user_data_s=90))
    nitro, other = (
        launch_one(ec2, image, UserData=TELLING, InstanceType=kind) for kind in ("t3.micro", "t2.micro")
    )
    advance(local, 100)
    with refused("UnsupportedOperation"):
        output(ec2, other)
    assert result_in(output(ec2, nitro), nitro) == Result()
    for instance in (nitro, other):
        assert "Linux version" in output(ec2, instance, latest=False)
        assert result_in(output(ec2, instance, latest=False), instance) is None


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_user_data_can_fail_or_hang(local: LocalAws, ec2: Any, image: str, pack: type[bytes]) -> None:
    set_faults(local, Faults(user_data_s=50))
    user_data = compose_with(pack(b"#!/bin/sh\n"), "ready")
    instance = launch_one(ec2, image, UserData=user_data, InstanceType="t3.micro")
    end_user_data(local, instance, "hangs")
    advance(local, 100)
    assert result_in(output(ec2, instance), instance) is None
    end_user_data(local, instance, "failed")
    result = result_in(output(ec2, instance), instance)
    assert result
    assert "scripts_user" in (result.failed or "")
    with pytest.raises(LocalAwsError, match="no such result"):
        end_user_data(local, instance, "lost")


def test_without_the_boot_hook_nothing_is_told(local: LocalAws, ec2: Any, image: str) -> None:
    instance = launch_one(
        ec2, image, UserData=b"#!/bin/sh\necho provisioner-ready\n", InstanceType="t3.micro"
    )
    assert "finished. Up" in output(ec2, instance)
    assert result_in(output(ec2, instance), instance) is None
    with refused("InvalidInstanceID.NotFound"):
        output(ec2, "i-00000000000000000")
