"""Key pairs of a spec on the local AWS: imported before what names them, changed, and gone."""

from __future__ import annotations

from typing import Any

import pytest

import local_aws
from tests.support.cloud import Cloud, tags_of
from tests.support.program import Program
from tests.support.setting_cases import BARE
from tests.support.specs import having, lacking

MINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJUbSMnzStCLmP8sBYExnDW33R8AhRajCmrBQpm5nsQO"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGEUcRRCBrs2xUfYY14XUUUb8f5F5vNyaiBkhcgRZJ/m"
SPEC: dict[str, Any] = having(
    BARE, key_pairs={"me": {"public_key": f"{MINE} me@laptop"}}, fleets__worker__key_name="me"
)


def key_pairs(cloud: Cloud) -> dict[str, str]:
    """The public keys that there are, by name and without their comment."""
    found = cloud.ec2.describe_key_pairs(IncludePublicKey=True)["KeyPairs"]
    return {row["KeyName"]: " ".join(row["PublicKey"].split()[:2]) for row in found}


def test_imported_launched_with_changed_and_gone(program: Program, cloud: Cloud) -> None:
    cloud.ec2.import_key_pair(KeyName="somebodys", PublicKeyMaterial=OTHER.encode())
    assert program.apply(SPEC).code == 0
    assert key_pairs(cloud) == {"somebodys": OTHER, "probe-me": MINE}
    assert {member["KeyName"] for member in cloud.live("probe")} == {"probe-me"}
    assert program.plan(SPEC).changes == []

    before = cloud.ids("probe")
    other = having(SPEC, key_pairs__me__public_key=OTHER)
    assert program.apply(other).code == 0
    assert key_pairs(cloud)["probe-me"] == OTHER
    assert set(cloud.ids("probe")).isdisjoint(before)
    assert program.plan(other).changes == []

    without = lacking(other, "key_pairs", "fleets.worker.key_name")
    assert program.apply(without).code == 0
    assert key_pairs(cloud) == {"somebodys": OTHER}
    assert program.plan(without).changes == []


def test_what_somebody_else_has_is_never_taken_over(program: Program, cloud: Cloud) -> None:
    cloud.ec2.import_key_pair(KeyName="probe-me", PublicKeyMaterial=MINE.encode())
    applied = program.apply(SPEC)
    assert applied.code == 1
    assert "key pair probe-me exists already, and it is not this environment's" in applied.words
    assert (cloud.ids("probe"), program.destroy(SPEC).code) == ([], 0)
    assert key_pairs(cloud) == {"probe-me": MINE}


@pytest.mark.parametrize("fault", ["drop_reply", "drop_request"])
def test_an_import_whose_answer_is_lost_is_done_once(fault: str, program: Program, cloud: Cloud) -> None:
    cloud.break_with(getattr(local_aws, fault)("ImportKeyPair", nth=1))
    alone = lacking(SPEC, "fleets")
    assert program.apply(alone).code == 0
    assert key_pairs(cloud) == {"probe-me": MINE}


def test_tags_are_put_right_while_it_is_there(program: Program, cloud: Cloud) -> None:
    alone = lacking(SPEC, "fleets")
    assert program.apply(alone).code == 0
    (found,) = cloud.ec2.describe_key_pairs()["KeyPairs"]
    cloud.ec2.create_tags(Resources=[found["KeyPairId"]], Tags=[{"Key": "a", "Value": "b"}])
    tagged = having(alone, key_pairs__me__tags={"team": "data"})
    assert program.apply(tagged).code == 0
    (after,) = cloud.ec2.describe_key_pairs()["KeyPairs"]
    assert (after["KeyPairId"], tags_of(after)) == (
        found["KeyPairId"],
        {"provisioner:environment": "probe", "provisioner:key_pair": "me", "team": "data"},
    )
    assert program.plan(tagged).changes == []


def test_a_plan_asks_once_for_them_however_many_there_are(program: Program, cloud: Cloud) -> None:
    many = {f"k{number}": {"public_key": MINE, "name": f"k{number}"} for number in range(30)}
    spec = having(lacking(SPEC, "fleets"), key_pairs=many)
    assert program.apply(spec).code == 0
    cloud.forget_calls()
    assert program.plan(spec).changes == []
    assert cloud.operations().count("DescribeKeyPairs") == 1
