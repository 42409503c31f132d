"""The index of tags of the local AWS: instance profiles, some time after IAM has them."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from local_aws import Faults, LocalAws, advance, set_faults
from tests.integration.local_aws.helpers import refused

WANTED: dict[str, Any] = {"ResourceTypeFilters": ["iam:instance-profile"]}


@pytest.fixture
def tagging(local: LocalAws, clients: dict[str, Any]) -> Any:
    return clients["resourcegroupstaggingapi"]


def make(iam: Any, name: str, **tags: str) -> str:
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    made = iam.create_instance_profile(InstanceProfileName=name, Path="/some/", Tags=listed)
    return str(made["InstanceProfile"]["Arn"])


def shown(tagging: Any, *filters: dict[str, Any], **more: Any) -> dict[str, dict[str, str]]:
    """Tags by the last part of the ARN."""
    answer = tagging.get_resources(**WANTED, TagFilters=list(filters), **more)
    return {
        found["ResourceARN"].rpartition("/")[2]: {tag["Key"]: tag["Value"] for tag in found["Tags"]}
        for found in answer["ResourceTagMappingList"]
    }


@pytest.mark.correction("index-profiles")
def test_profiles_are_found_by_all_filters(iam: Any, tagging: Any) -> None:
    arn = make(iam, "one", team="data", stage="dev")
    make(iam, "two", team="web", stage="dev")
    make(iam, "none")
    assert tagging.get_resources(**WANTED)["ResourceTagMappingList"][0]["ResourceARN"] == arn
    assert shown(tagging) == {"one": {"team": "data", "stage": "dev"}, "two": {"team": "web", "stage": "dev"}}
    team = {"Key": "team", "Values": ["data", "other"]}
    assert shown(tagging, team) == {"one": {"team": "data", "stage": "dev"}}
    assert shown(tagging, team, {"Key": "stage", "Values": ["prod"]}) == {}
    assert set(shown(tagging, {"Key": "stage"})) == {"one", "two"}


@pytest.mark.correction("index-pages")
def test_profiles_come_page_by_page(iam: Any, tagging: Any) -> None:
    for number in range(5):
        make(iam, f"p{number}", team="data")
    pages = list(tagging.get_paginator("get_resources").paginate(**WANTED, ResourcesPerPage=2))
    assert [len(page["ResourceTagMappingList"]) for page in pages] == [2, 2, 1]


@pytest.mark.correction("index-home")
def test_things_of_a_global_service_are_in_one_region(local: LocalAws, iam: Any, tagging: Any) -> None:
    make(iam, "one", team="data")
    elsewhere = boto3.client(
        "resourcegroupstaggingapi",
        region_name="eu-west-1",
        endpoint_url=local.endpoint_url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    assert list(shown(tagging)) == ["one"]
    assert shown(elsewhere) == {}


def test_it_lags_behind_iam(local: LocalAws, iam: Any, tagging: Any) -> None:
    set_faults(local, Faults(tag_index_lag_s=60))
    make(iam, "one", team="data")
    assert iam.get_instance_profile(InstanceProfileName="one")["InstanceProfile"]["Tags"]
    assert shown(tagging) == {}
    advance(local, 61)
    assert shown(tagging) == {"one": {"team": "data"}}
    iam.tag_instance_profile(InstanceProfileName="one", Tags=[{"Key": "team", "Value": "web"}])
    iam.create_instance_profile(InstanceProfileName="two", Tags=[{"Key": "team", "Value": "web"}])
    assert shown(tagging) == {"one": {"team": "data"}}
    advance(local, 61)
    assert shown(tagging) == {"one": {"team": "web"}, "two": {"team": "web"}}
    iam.delete_instance_profile(InstanceProfileName="two")
    assert set(shown(tagging)) == {"one", "two"}
    advance(local, 61)
    assert set(shown(tagging)) == {"one"}


@pytest.mark.parametrize(
    ("code", "asked"),
    [
        ("NotImplemented", {"ResourceTypeFilters": ["ec2:instance"]}),
        ("InvalidParameterException", {**WANTED, "ResourcesPerPage": 101}),
        ("InvalidParameterException", {**WANTED, "TagFilters": [{"Key": "k", "Values": ["v"] * 21}]}),
        ("PaginationTokenExpiredException", {**WANTED, "PaginationToken": "none"}),
    ],
)
def test_what_it_does_not_take(tagging: Any, code: str, asked: dict[str, Any]) -> None:
    with refused(code):
        tagging.get_resources(**asked)
