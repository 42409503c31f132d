"""One local AWS, one wire to it and one zygote for each process that runs tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import local_aws

from ..whole.cloud import Cloud
from ..whole.program import clean_environment
from .runs import Nursery
from .wire import Wire


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The local AWS of these tests."""
    folder = str(tmp_path_factory.mktemp("local-aws"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROVISIONER_LOCAL_DIR", folder)
        running = local_aws.up(port=0)
    yield Cloud(running)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROVISIONER_LOCAL_DIR", folder)
        assert local_aws.down()


@pytest.fixture(scope="session")
def wire(aws: Cloud) -> Iterator[Wire]:
    """What all requests of the program pass."""
    with Wire(aws.server.port) as wire:
        yield wire


@pytest.fixture(scope="session")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of a machine with access keys and nothing else."""
    return clean_environment(
        tmp_path_factory.mktemp("home"),
        AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE",
        AWS_SECRET_ACCESS_KEY="secret",
    )


@pytest.fixture(scope="session")
def nursery(
    aws: Cloud, credentials: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Nursery]:
    """What runs the program."""
    with Nursery(tmp_path_factory.mktemp("runs"), credentials, aws.server) as nursery:
        yield nursery
