"""Policies as sentences, and what differs between two of them."""

from typing import Any

import pytest

from provisioner.iam_policy import documents
from provisioner.render.policy_words import Difference, differences, sentence
from tests.unit.render import render_examples as examples


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (examples.STORE, "Store: Allow s3:PutObject, s3:GetObject on arn:aws:s3:::outages/*"),
        (
            {"Effect": "Deny", "NotAction": ["iam:*"], "NotResource": "arn:aws:s3:::a"},
            "Deny all but iam:* on all but arn:aws:s3:::a",
        ),
        (
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"AWS": ["123456789012", "*"], "Service": "ec2.amazonaws.com"},
            },
            "Allow sts:AssumeRole for account 123456789012, everybody (*), ec2.amazonaws.com",
        ),
        ({"Effect": "Allow", "Action": "*", "NotPrincipal": "*"}, "Allow * for all but everybody (*)"),
        (
            {
                "Effect": "Allow",
                "Action": "*",
                "Resource": "*",
                "Condition": {
                    "Bool": {"aws:SecureTransport": True},
                    "StringLike": {"aws:SourceVpc": ["a", "b"]},
                },
            },
            "Allow * on * if Bool aws:SecureTransport is true and StringLike aws:SourceVpc is a or b",
        ),
        (
            {"Effect": "Allow", "Action": [f"s3:Get{number}" for number in range(30)], "Resource": "*"},
            f"Allow {', '.join(f's3:Get{number}' for number in range(30))} on *",
        ),
        (
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"Federated": "accounts.google.com"},
            },
            "Allow sts:AssumeRole for federated accounts.google.com",
        ),
        (
            {"Effect": "Allow", "Action": "s3:GetObject, s3:*", "Resource": "b if Bool x is true"},
            'Allow "s3:GetObject, s3:*" on "b if Bool x is true"',
        ),
    ],
)
def test_a_statement_is_a_sentence_and_all_of_it(statement: dict[str, Any], expected: str) -> None:
    assert sentence(statement) == expected


def test_spelling_is_no_difference() -> None:
    assert differences(examples.WRITE_OUTAGES, documents.canonical(examples.WRITE_OUTAGES)) == []


def test_a_statement_is_known_by_its_sid() -> None:
    edited = examples.STORE | {
        "Action": "s3:GetObject",
        "Resource": ["arn:aws:s3:::outages/*", "arn:aws:s3:::b"],
    }
    assert differences(document(examples.STORE), document(edited)) == [
        Difference("~", "Store: Allow: Action", gone=("s3:PutObject",)),
        Difference("~", "Store: Allow: Resource", new=("arn:aws:s3:::b",)),
        # What stays of one element goes with what is new in the other.
        Difference("~", "then Store: Allow s3:GetObject on arn:aws:s3:::b, arn:aws:s3:::outages/*"),
    ]


def test_a_statement_without_a_sid_is_known_by_what_stays() -> None:
    edited = examples.FIND | {"Action": ["s3:ListBucket", "s3:GetBucketLocation"]}
    assert differences(document(examples.FIND), document(edited)) == [
        Difference("~", "Allow on arn:aws:s3:::outages: Action", new=("s3:GetBucketLocation",))
    ]


def test_statements_that_have_little_in_common_come_and_go() -> None:
    other = {"Effect": "Deny", "Action": "iam:*", "Resource": "*"}
    assert differences(document(examples.FIND), document(other)) == [
        Difference("-", "Allow s3:ListBucket on arn:aws:s3:::outages"),
        Difference("+", "Deny iam:* on *"),
    ]


def test_a_statement_that_becomes_wide_is_marked() -> None:
    passing = {
        "Effect": "Allow",
        "Action": ["iam:PassRole", "s3:GetObject"],
        "Resource": "arn:aws:iam::1:role/a",
    }
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    assert differences(document(passing), document(passing | {"Resource": "*"})) == [
        Difference(
            "~",
            "Allow iam:PassRole, s3:GetObject: Resource",
            gone=("arn:aws:iam::1:role/a",),
            new=("*",),
            is_wide=True,
        )
    ]
    added = differences(document(passing), document(passing, everything))
    assert added == [Difference("+", "Allow * on *", is_wide=True)]
    assert differences(document(passing, everything), document(passing)) == [Difference("-", "Allow * on *")]


def test_effect_version_and_condition() -> None:
    old = document(examples.FIND) | {"Version": "2008-10-17"}
    new = document(examples.FIND | {"Effect": "Deny"})
    assert differences(old, new) == [
        Difference("~", "Version", ("2008-10-17",), ("2012-10-17",)),
        Difference("~", "s3:ListBucket on arn:aws:s3:::outages: Effect", ("Allow",), ("Deny",)),
    ]
    limited = examples.FIND | {"Condition": {"Bool": {"aws:SecureTransport": "true"}}}
    assert differences(document(examples.FIND), document(limited)) == [
        Difference(
            "~",
            "Allow s3:ListBucket on arn:aws:s3:::outages: Condition",
            new=("Bool aws:SecureTransport is true",),
        )
    ]


def test_letters_are_those_of_whoever_wrote_them() -> None:
    old = documents.canonical(document(examples.STORE))
    new = document(examples.STORE | {"Action": ["s3:PutObject", "s3:GetObject", "s3:ListObjects"]})
    assert differences(old, new) == [
        Difference("~", "Store: Allow on arn:aws:s3:::outages/*: Action", new=("s3:ListObjects",))
    ]


def with_token(*values: str) -> dict[str, Any]:
    condition = {"StringEquals": {"aws:RequestTag/access_token": list(values) if values[1:] else values[0]}}
    return {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": condition}


def test_what_a_key_named_as_a_credential_may_be_is_hidden_one_or_many() -> None:
    start = "Allow s3:GetObject on * if StringEquals aws:RequestTag/access_token is"
    assert sentence(with_token("hunter2hunter2")) == f"{start} ***"
    assert sentence(with_token("hunter2hunter2", "hunter3hunter3")) == f"{start} *** or ***"


def test_what_is_hidden_differs_all_the_same() -> None:
    (found,) = differences(
        {"Statement": [with_token("hunter2hunter2")]}, {"Statement": [with_token("hunter3hunter3")]}
    )
    hidden = "StringEquals aws:RequestTag/access_token is ***"
    assert (found.gone, found.new) == ((hidden,), (hidden,))
