"""Security groups, their rules and key pairs that EC2 shows, and knows, only a while after they were made."""

from __future__ import annotations

import pytest

from tests.support.cloud import Cloud, as_list, where
from tests.support.program import Program
from tests.support.setting_cases import BARE
from tests.support.specs import having

LAG_S = 1.0
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILg7TAGkmtokT2dHVKZXke5Od3s7kBUSQD0GSAsPC1BP"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDWtc7yYvGbJLiL5nbzQaGGqrBMyrkUFKNJLDKRcYsEm"
FROM_WITHIN = {"port": 22, "cidr": "10.0.0.0/8"}
NETWORK = having(
    BARE,
    fleets__worker__count=1,
    fleets__worker__security_groups=["front"],
    fleets__worker__key_name="admin",
    security_groups={
        "front": {"ingress": [FROM_WITHIN, {"port": 443, "group": "back"}]},
        "back": {"ingress": [{"port": 5432, "group": "front"}], "egress": []},
    },
    key_pairs={"admin": {"public_key": KEY}},
)
ENVIRONMENT = NETWORK["environment"]


@pytest.fixture
def late(cloud: Cloud) -> Cloud:
    """An EC2 that shows late what was written."""
    cloud.break_with(lag_s=LAG_S)
    return cloud


@pytest.mark.long
def test_a_plan_right_after_an_apply_shows_nothing(program: Program, late: Cloud) -> None:
    network = having(NETWORK, fleets={})
    changed = having(
        network,
        security_groups__front={"ingress": [{"port": 80, "cidr": "10.0.0.0/8"}], "tags": {"stage": "dev"}},
        key_pairs__admin={"public_key": OTHER},
    )
    for spec in (network, changed):
        applied = program.apply(spec)
        assert applied.code == 0, applied.said
        assert program.plan(spec).told == set()
    destroyed = program.destroy(changed)
    assert destroyed.code == 0, destroyed.said
    assert program.destroy(changed).became("done") == []


def test_members_are_launched_with_a_group_and_a_key_that_are_new(program: Program, late: Cloud) -> None:
    applied = program.apply(NETWORK)
    assert applied.code == 0, applied.said
    assert program.plan(NETWORK).told == set()
    (member,) = late.live()
    assert member["KeyName"] == f"{ENVIRONMENT}-admin"
    assert [group["GroupName"] for group in member["SecurityGroups"]] == [f"{ENVIRONMENT}-front"]


@pytest.mark.long
def test_members_get_a_group_that_is_new(program: Program, cloud: Cloud) -> None:
    without = having(NETWORK, fleets__worker__security_groups=["default"], security_groups={})
    assert program.apply(without).code == 0
    cloud.break_with(lag_s=LAG_S)
    spec = having(without, security_groups={"solo": {}}, fleets__worker__security_groups=["solo"])
    applied = program.apply(spec)
    assert applied.code == 0, applied.said
    assert program.plan(spec).told == set()


@pytest.mark.long
def test_what_another_run_has_just_made_is_waited_for_and_taken(program: Program, late: Cloud) -> None:
    """As it is when a run is killed, and another one is started at once."""
    network = having(NETWORK, fleets={})
    name = f"{ENVIRONMENT}-front"

    def tags(kind: str, key: str) -> list[dict[str, str]]:
        return as_list({"provisioner:environment": ENVIRONMENT, f"provisioner:{kind}": key})

    group = late.ec2.create_security_group(
        GroupName=name,
        Description=name,
        TagSpecifications=[{"ResourceType": "security-group", "Tags": tags("security_group", "front")}],
    )
    key_pair = late.ec2.import_key_pair(
        KeyName=f"{ENVIRONMENT}-admin",
        PublicKeyMaterial=KEY.encode(),
        TagSpecifications=[{"ResourceType": "key-pair", "Tags": tags("key_pair", "admin")}],
    )
    applied = program.apply(network)
    assert applied.code == 0, applied.said
    assert program.plan(network).told == set()
    ours = where("tag:provisioner:environment", ENVIRONMENT)
    groups = late.ec2.describe_security_groups(Filters=ours)["SecurityGroups"]
    assert group["GroupId"] in {found["GroupId"] for found in groups}
    (key,) = late.ec2.describe_key_pairs(Filters=ours)["KeyPairs"]
    assert key["KeyPairId"] == key_pair["KeyPairId"]
