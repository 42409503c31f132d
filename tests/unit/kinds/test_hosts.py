"""Which members can be reached, and by what name: from what EC2 describes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from provisioner.errors import AwsError, UsageError
from provisioner.kinds.base import Reader
from provisioner.kinds.fleet.hosts import find_hosts
from provisioner.kinds.key_pair.public_key import parse_public_key
from provisioner.model import Environment, Identity
from tests.support.build import SUBNETS, environment, launched_in

MINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJUbSMnzStCLmP8sBYExnDW33R8AhRajCmrBQpm5nsQO"
BARE: dict[str, Any] = {"count": 2, "image": "ami-00000000000000001", "instance_type": "t3.micro"}


class Describing:
    """EC2 with these instances and images, for reading."""

    def __init__(self, *instances: dict[str, Any], images: Any = ()) -> None:
        self.instances, self.images = instances, images
        self.called: list[str] = []

    def identity(self) -> Identity:
        raise NotImplementedError

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        self.called.append(operation)
        if isinstance(self.images, Exception):
            raise self.images
        return {"Images": self.images}

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[Any]:
        self.called.append(operation)
        yield {"Instances": self.instances}

    def answers(self, operation: str) -> list[dict[str, Any]]:
        return []

    def parallel(self, *reads: Callable[[], Any]) -> list[Any]:
        return [read() for read in reads]

    def in_region(self, region: str) -> Reader:
        raise NotImplementedError

    def now(self) -> datetime:
        return datetime(2026, 11, 26, tzinfo=UTC)


def instance(number: int, **differing: Any) -> dict[str, Any]:
    """A member of the fleet `web` as DescribeInstances shows it."""
    subnet = SUBNETS[0]
    tags = {"provisioner:environment": "env", "provisioner:fleet": "web", "provisioner:index": str(number)}
    return {
        "InstanceId": f"i-{number:017x}",
        "State": {"Name": "running"},
        "Placement": {"AvailabilityZone": subnet.zone},
        "SubnetId": subnet.id,
        "InstanceType": "t3.micro",
        "ImageId": "ami-00000000000000001",
        "KeyName": "env-me",
        "PublicIpAddress": f"203.0.113.{number}",
        "PrivateIpAddress": f"10.0.0.{number}",
        "ClientToken": launched_in("web", subnet, number),
        "NetworkInterfaces": [{"OwnerId": "123456789012"}],
        "MetadataOptions": {
            "HttpTokens": "required",
            "HttpEndpoint": "enabled",
            "HttpPutResponseHopLimit": 1,
        },
        "Tags": [{"Key": key, "Value": value} for key, value in (tags | differing.pop("tags", {})).items()],
        **differing,
    }


def desired(name: str = "web-{index:02d}", **more: Any) -> Environment:
    return environment(fleets={"web": {**BARE, "name": name}}, **more)


@pytest.mark.parametrize(
    ("name", "number", "alias"),
    [
        ("web-{index:02d}", 7, "env-web-07"),
        ("web-{index:03d}", 7, "env-web-007"),
        ("web-{index}", 7, "env-web-7"),
        ("web-{index:02d}", 123, "env-web-123"),
        ("web", 7, "i-00000000000000007"),
    ],
)
def test_aliases_are_numbers_where_members_are_numbered(name: str, number: int, alias: str) -> None:
    (host,) = find_hosts(Describing(instance(number)), desired(name)).hosts
    assert host.alias == alias


def test_two_with_one_number_are_told_apart() -> None:
    twin = instance(8, tags={"provisioner:index": "7"})
    aliases = [host.alias for host in find_hosts(Describing(instance(7), twin), desired()).hosts]
    assert aliases == ["env-web-07", "i-00000000000000008"]


def test_a_number_that_nobody_here_gave_is_none() -> None:
    odd = instance(7, tags={"provisioner:index": "7\nHost *"})
    assert find_hosts(Describing(odd), desired()).hosts[0].alias == "i-00000000000000007"


def test_only_members_that_run_and_of_one_fleet_if_it_is_named() -> None:
    stopped = instance(8, State={"Name": "stopped"})
    foreign = instance(9, ClientToken="somebody's")
    found = find_hosts(Describing(instance(7), stopped, foreign), desired(), "web")
    assert [host.alias for host in found.hosts] == ["env-web-07"]
    assert found.notes == ("fleet/web: 1 of 2 members does not run and is left out",)


def test_a_fleet_that_there_is_not_is_told_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="has no fleet wbe") as raised:
        find_hosts(Describing(), desired(), "wbe")
    assert raised.value.hint == "its fleets: web"


def test_members_of_another_account_are_refused() -> None:
    with pytest.raises(
        UsageError, match="is for account 210987654321, and these credentials belong to 12345"
    ):
        find_hosts(Describing(instance(7)), desired(account_id="210987654321"))


def test_what_is_no_address_is_none() -> None:
    odd = instance(7, PublicIpAddress="1.2.3.4\nProxyCommand x", PrivateIpAddress="{{ x }}")
    (host,) = find_hosts(Describing(odd), desired()).hosts
    assert (host.public_ip, host.private_ip) == (None, None)


def test_what_is_no_id_is_left_out() -> None:
    assert find_hosts(Describing(instance(7, InstanceId="i-1 *")), desired()).hosts == ()


class TestImages:
    DENIED = AwsError("ec2", "DescribeImages", "UnauthorizedOperation", "No.", 403)

    def test_are_read_in_one_call_and_only_where_they_are_asked_for(self) -> None:
        shown = {"ImageId": "ami-00000000000000001", "Name": "debian-12"}
        for with_images, called, image in (
            (True, ["DescribeInstances", "DescribeImages"], shown),
            (False, ["DescribeInstances"], {}),
        ):
            reader = Describing(*map(instance, range(1, 60)), images=[shown])
            hosts = find_hosts(reader, desired(), with_images=with_images).hosts
            assert (len(hosts), reader.called, hosts[0].image) == (59, called, image)

    def test_that_are_gone_say_nothing(self) -> None:
        assert find_hosts(Describing(instance(7)), desired(), with_images=True).hosts[0].image == {}

    def test_that_nobody_may_read_are_told(self) -> None:
        found = find_hosts(Describing(instance(7), images=self.DENIED), desired(), with_images=True)
        assert found.hosts[0].image == {}
        (note,) = found.notes
        assert "so users are not known: ec2:DescribeImages: UnauthorizedOperation" in note


@pytest.fixture
def ssh_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home with one public key."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "me.pub").write_text(MINE)


@pytest.mark.parametrize(
    ("entry", "file"),
    [
        ({"ssh": "me.pub"}, "~/.ssh/me"),
        ({"public_key": MINE}, None),
        ({"ssh": "me.pub", "name": "another"}, None),
    ],
)
def test_the_private_half_is_beside_the_public_one(
    entry: dict[str, str], file: str | None, ssh_folder: None
) -> None:
    (host,) = find_hosts(Describing(instance(7)), desired(key_pairs={"me": entry})).hosts
    assert host.key_file == file


@pytest.mark.parametrize(
    ("word", "file", "notes"),
    [
        (f" key={parse_public_key(MINE).mark}", "~/.ssh/me", 0),
        ("", "~/.ssh/me", 0),
        (" key=AAAAAAAA", None, 1),
        (" key=odd", "~/.ssh/me", 0),
    ],
    ids=["with this key", "nothing known", "with the one before", "what no launch writes"],
)
def test_a_member_that_was_launched_with_the_key_before_is_told(
    word: str, file: str | None, notes: int, ssh_folder: None
) -> None:
    old = instance(7, tags={"provisioner:launch": f"type=t3.micro{word}"})
    found = find_hosts(Describing(old), desired(key_pairs={"me": {"ssh": "me.pub"}}))
    assert (found.hosts[0].key_file, len(found.notes)) == (file, notes)
    assert all("launched with another key than the spec has now; that one" in note for note in found.notes)


def test_a_fleet_that_has_left_the_spec_is_reached_by_ids() -> None:
    (host,) = find_hosts(Describing(instance(7)), replace(desired(), resources={})).hosts
    assert (host.alias, host.fleet) == ("i-00000000000000007", "web")
