"""One wire to the local AWS, and one fork server, for each process that runs tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.runs import Nursery
from tests.faults.wire import Wire
from tests.support.cloud import Cloud
from tests.support.program import clean_environment


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
