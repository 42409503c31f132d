"""A connection that is there to read cannot write, whatever it is asked for."""

from __future__ import annotations

import pytest
from botocore.session import Session as Models

from provisioner.apply import Executor
from provisioner.aws.client import Aws, Target, WritingAws
from provisioner.kinds import KINDS
from provisioner.kinds.base import Reader
from provisioner.observe import observe
from provisioner.spec import load
from tests.support.cloud import REGION, Cloud, is_reading
from tests.support.program import SPECS, Program
from tests.support.specs import PROBE


@pytest.fixture
def reader(cloud: Cloud, program: Program) -> Aws:
    return Aws(Target(REGION, endpoint_url=cloud.server.endpoint_url, is_local=True))


@pytest.mark.parametrize("service", ["ec2", "iam", "sts", "ssm"])
def test_every_operation_that_writes_is_refused_before_it_is_sent(
    service: str, reader: Aws, cloud: Cloud
) -> None:
    writing = [name for name in Models().get_service_model(service).operation_names if not is_reading(name)]
    assert len(writing) > 3
    for operation in writing:
        with pytest.raises(PermissionError, match=operation):
            reader.call(service, operation)
    assert cloud.operations() == []


def test_asking_for_a_writing_connection_leaves_the_reading_one_as_it_is(reader: Aws, cloud: Cloud) -> None:
    writer, made = WritingAws.over(reader), _made(cloud)
    for either in (reader, writer):
        with pytest.raises(PermissionError):
            either.call("iam", "DeleteInstanceProfile", InstanceProfileName=made)
    writer.send("iam", "DeleteInstanceProfile", InstanceProfileName=made)


def test_a_reading_connection_has_nothing_to_write_with(reader: Aws) -> None:
    """mypy would tell that an `ignore` is unused if it had."""
    assert {"send", "for_writing", "to_the_end"}.isdisjoint(dir(reader))
    with pytest.raises(AttributeError):
        reader.send("iam", "CreateRole")  # type: ignore[attr-defined]
    as_kinds_see_it: Reader = reader
    with pytest.raises(AttributeError):
        as_kinds_see_it.send("iam", "CreateRole")  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        Executor(reader)  # type: ignore[arg-type]


def _made(cloud: Cloud) -> str:
    cloud.make_profile("hand-made")
    return "hand-made"


def test_observing_makes_do_with_a_reading_connection(reader: Aws, cloud: Cloud, program: Program) -> None:
    program.apply(PROBE)
    cloud.forget_calls()
    world = observe(load(str(SPECS / "two-tier.yaml"), KINDS), reader, KINDS)
    assert world.identity.account_id == "123456789012"
    assert cloud.operations()
    assert cloud.writes() == []
