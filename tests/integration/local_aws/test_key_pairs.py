"""Key pairs: what EC2 imports, how it is described, and how it goes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.local_aws.helpers import refused, where

BLOB = "AAAAC3NzaC1lZDI1NTE5AAAAIJUbSMnzStCLmP8sBYExnDW33R8AhRajCmrBQpm5nsQO"
KEY = f"ssh-ed25519 {BLOB} me@laptop"


def imported(ec2: Any, name: str = "me", key: str = KEY, **tags: str) -> str:
    given = [{"ResourceType": "key-pair", "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}]
    answer = ec2.import_key_pair(
        KeyName=name, PublicKeyMaterial=key.encode(), **({"TagSpecifications": given} if tags else {})
    )
    return str(answer["KeyPairId"])


def shown(ec2: Any, **asked: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ec2.describe_key_pairs(**asked)["KeyPairs"]
    return found


@pytest.mark.correction("key-material")
def test_what_is_imported_is_shown_with_its_name_for_a_comment(ec2: Any) -> None:
    key = imported(ec2, a="b")
    (found,) = shown(ec2, IncludePublicKey=True)
    assert (found["KeyPairId"], found["KeyType"], found["Tags"]) == (
        key,
        "ed25519",
        [{"Key": "a", "Value": "b"}],
    )
    assert found["PublicKey"] == f"ssh-ed25519 {BLOB} me"
    assert "PublicKey" not in shown(ec2)[0]


@pytest.mark.correction("key-fingerprint")
def test_the_fingerprint_of_an_imported_ed25519_key_is_that_of_openssh(ec2: Any) -> None:
    imported(ec2)
    assert shown(ec2)[0]["KeyFingerprint"] == "n0gE4NZEUgB+MGb1vFteI3uqpRnw4TDy0nNaeIQNUJw="


@pytest.mark.correction("key-format")
@pytest.mark.parametrize(
    "key",
    [
        "hello",
        "ssh-ed25519 AAAA",
        "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBAN2oZYuTvhmqm9C8OV2mGvBPOFb"
        "2u6Lh5pX3wYjDqXGMF0VtEVXy2N8lC9cL4KcZkm5cO7yb0i8zXx4oWm0D1c=",
    ],
)
def test_a_key_of_another_format_is_refused(ec2: Any, key: str) -> None:
    with refused("InvalidKey.Format"):
        imported(ec2, key=key)


@pytest.mark.same_on_moto
def test_a_name_that_is_taken_is_refused(ec2: Any) -> None:
    imported(ec2)
    with refused("InvalidKeyPair.Duplicate"):
        imported(ec2)


@pytest.mark.correction("key-name")
def test_a_name_has_no_spaces_around_it(ec2: Any) -> None:
    with refused("InvalidParameterValue"):
        imported(ec2, name=" me")


@pytest.mark.correction("key-filters")
def test_key_pairs_are_found_by_name_and_tag(ec2: Any) -> None:
    imported(ec2, "me*", a="b")
    imported(ec2, "me too", a="c")
    for filters, names in (
        (where("key-name", "me*"), ["me*", "me too"]),
        (where("key-name", r"me\*"), ["me*"]),
        (where("tag:a", "c"), ["me too"]),
        (where("tag-key", "b"), []),
        (where("key-name", "nobody"), []),
    ):
        assert [found["KeyName"] for found in shown(ec2, Filters=filters)] == names


@pytest.mark.correction("key-ids")
def test_a_key_pair_goes_by_its_id_and_what_is_not_there_is_no_error(ec2: Any) -> None:
    mine = imported(ec2)
    ec2.delete_key_pair(KeyPairId="key-0123456789abcdef0")
    assert len(shown(ec2, KeyPairIds=[mine])) == 1
    ec2.delete_key_pair(KeyPairId=mine)
    assert shown(ec2) == []
    ec2.delete_key_pair(KeyName="me")


@pytest.mark.correction("key-not-found")
def test_a_key_pair_that_is_not_there_is_not_found_by_name(ec2: Any) -> None:
    imported(ec2)
    with refused("InvalidKeyPair.NotFound") as refusal:
        shown(ec2, KeyNames=["me", "you"])
    assert refusal.message == "The key pair 'you' does not exist"


@pytest.mark.same_on_moto
def test_tags_come_and_go_by_its_id(ec2: Any) -> None:
    key = imported(ec2, a="b")
    ec2.create_tags(Resources=[key], Tags=[{"Key": "c", "Value": "d"}])
    ec2.delete_tags(Resources=[key], Tags=[{"Key": "a"}])
    assert shown(ec2)[0]["Tags"] == [{"Key": "c", "Value": "d"}]
