"""The server process that all tests share, emptied before each.

Every test marked `correction` guards one line of the table in docs/local-aws.md. With `--plain-moto` the same
tests run against moto without corrections, and each of them has to fail: one that passes says that moto has
caught up and its line, its code and its test can go.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

import local_aws
from local_aws import LocalAws
from tests.integration.local_aws.helpers import AL2023
from tests.support.local_server import running_local_aws


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--plain-moto", action="store_true", help="run the corrections' tests against plain moto"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "correction(row): guards this row of the table in docs/local-aws.md")
    config.addinivalue_line("markers", "same_on_moto: passes on plain moto too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--plain-moto", default=False):
        return
    here = Path(__file__).parent
    for item in items:
        if here not in item.path.parents:
            continue
        if item.get_closest_marker("correction"):
            item.add_marker(pytest.mark.xfail(strict=True, reason="moto departs from AWS here"))
        elif not item.get_closest_marker("same_on_moto"):
            item.add_marker(pytest.mark.skip(reason="says nothing about moto"))


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """The server process; plain moto is one of its own, in a state directory of its own."""
    if not request.config.getoption("--plain-moto", default=False):
        yield request.getfixturevalue("shared_server")
        return
    with running_local_aws(tmp_path_factory.mktemp("local-aws"), plain=True) as running:
        yield running


@pytest.fixture
def local(server: LocalAws) -> LocalAws:
    """The local AWS, empty and with every fault off."""
    local_aws.control(server, "reset", {})
    return server


@pytest.fixture(scope="session")
def clients(server: LocalAws) -> dict[str, Any]:
    """AWS clients that do not retry, so that tests see every error."""
    config = Config(retries={"total_max_attempts": 1, "mode": "standard"}, max_pool_connections=20)
    return {
        name: boto3.client(
            name,
            region_name="us-east-1",
            endpoint_url=server.endpoint_url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=config,
        )
        for name in ("ec2", "iam", "sts", "ssm", "pricing", "service-quotas", "resourcegroupstaggingapi")
    }


@pytest.fixture
def ec2(local: LocalAws, clients: dict[str, Any]) -> Any:
    return clients["ec2"]


@pytest.fixture
def iam(local: LocalAws, clients: dict[str, Any]) -> Any:
    return clients["iam"]


@pytest.fixture(scope="session")
def image(clients: dict[str, Any]) -> str:
    """The id of a public image."""
    return str(clients["ssm"].get_parameter(Name=AL2023)["Parameter"]["Value"])


@pytest.fixture
def sts(local: LocalAws, clients: dict[str, Any]) -> Any:
    return clients["sts"]
