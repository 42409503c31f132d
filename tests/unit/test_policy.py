"""Policy documents: which mean the same, and which IAM refuses."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioner.iam_policy import documents
from provisioner.iam_policy.grammar import problems


def document(*statements: dict[str, Any], version: str | None = "2012-10-17") -> dict[str, Any]:
    return ({"Version": version} if version else {}) | {"Statement": list(statements)}


def allow(**elements: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"} | elements


def trusted(principal: Any) -> dict[str, Any]:
    return document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})


def condition(value: Any, operator: str = "StringEquals", key: str = "aws:SourceVpc") -> dict[str, Any]:
    return document(allow(Condition={operator: {key: value}}))


READ, WRITE = allow(), allow(Action="s3:PutObject")
ROOT = "arn:aws:iam::123456789012:root"

Pair = tuple[dict[str, Any], dict[str, Any]]

SAME: dict[str, Pair] = {
    "key order": (document(READ), {"Statement": [dict(reversed(READ.items()))], "Version": "2012-10-17"}),
    "one statement or a list of one": (document(READ), {"Version": "2012-10-17", "Statement": READ}),
    "order of statements": (document(READ, WRITE), document(WRITE, READ)),
    "a scalar or a list of one: action": (document(READ), document(allow(Action=["s3:GetObject"]))),
    "a scalar or a list of one: resource": (document(READ), document(allow(Resource=["*"]))),
    "a scalar or a list of one: principal": (
        trusted({"Service": "ec2.amazonaws.com"}),
        trusted({"Service": ["ec2.amazonaws.com"]}),
    ),
    "a scalar or a list of one: condition": (condition("vpc-1"), condition(["vpc-1"])),
    "order and duplicates of actions": (
        document(allow(Action=["s3:a", "s3:b"])),
        document(allow(Action=["s3:b", "s3:a", "s3:b"])),
    ),
    "order and duplicates of resources": (
        document(allow(Resource=["arn:aws:s3:::a", "arn:aws:s3:::b"])),
        document(allow(Resource=["arn:aws:s3:::b", "arn:aws:s3:::a", "arn:aws:s3:::a"])),
    ),
    "order of principals": (trusted({"AWS": ["1", "2"]}), trusted({"AWS": ["2", "1"]})),
    "order of condition values": (condition(["a", "b"]), condition(["b", "a", "a"])),
    "case of actions": (document(READ), document(allow(Action="S3:getobject"))),
    "duplicates that differ in case": (
        document(READ),
        document(allow(Action=["s3:getobject", "S3:GetObject"])),
    ),
    "an account's root or its id": (trusted({"AWS": ROOT}), trusted({"AWS": "123456789012"})),
    "root and id at once": (trusted({"AWS": [ROOT, "123456789012"]}), trusted({"AWS": "123456789012"})),
    "an account's root in another partition": (
        trusted({"AWS": "arn:aws-us-gov:iam::123456789012:root"}),
        trusted({"AWS": ["123456789012"]}),
    ),
    "everybody": (trusted("*"), trusted({"AWS": ["*"]})),
    "a boolean or its text": (condition(True, "Bool"), condition("true", "Bool")),
    "a number or its text": (
        condition([300, 1.0], "NumericLessThan"),
        condition(["1", "300"], "NumericLessThan"),
    ),
    "case of condition keys": (condition("vpc-1"), condition("vpc-1", key="AWS:sourceVPC")),
    "absent version": (document(READ, version=None), document(READ, version="2008-10-17")),
    "empty Sid": (document(READ), document(allow(Sid=""))),
    "empty Condition": (document(READ), document(allow(Condition={}))),
}

DIFFERENT: dict[str, Pair] = {
    "effect": (document(READ), document(allow(Effect="Deny"))),
    "action": (document(READ), document(WRITE)),
    "one action more": (document(READ), document(allow(Action=["s3:GetObject", "s3:PutObject"]))),
    "Action and NotAction": (
        document(READ),
        document({"Effect": "Allow", "NotAction": "s3:GetObject", "Resource": "*"}),
    ),
    "resource": (document(READ), document(allow(Resource="arn:aws:s3:::a"))),
    "case of resources": (
        document(allow(Resource="arn:aws:s3:::a")),
        document(allow(Resource="arn:aws:s3:::A")),
    ),
    "statements joined": (
        document(allow(Resource="arn:aws:s3:::a"), allow(Action="s3:PutObject", Resource="arn:aws:s3:::b")),
        document(
            allow(Action=["s3:GetObject", "s3:PutObject"], Resource=["arn:aws:s3:::a", "arn:aws:s3:::b"])
        ),
    ),
    "version": (document(READ), document(READ, version=None)),
    "sid": (document(allow(Sid="Read")), document(READ)),
    "case of sids": (document(allow(Sid="Read")), document(allow(Sid="read"))),
    "id": (document(READ) | {"Id": "one"}, document(READ)),
    "account": (trusted({"AWS": ROOT}), trusted({"AWS": "210987654321"})),
    "an account's root or a user called so": (
        trusted({"AWS": "arn:aws:iam::123456789012:user/root"}),
        trusted({"AWS": "123456789012"}),
    ),
    "root as a service": (trusted({"Service": ROOT}), trusted({"Service": "123456789012"})),
    "kind of principal": (trusted({"AWS": "*"}), trusted({"Service": "*"})),
    "case of condition values": (condition("vpc-a"), condition("vpc-A")),
    "condition operator": (condition("a"), condition("a", "StringLike")),
    "condition key": (condition("a"), condition("a", key="aws:SourceIp")),
    "no condition": (condition("a"), document(READ)),
    "keys that differ in nothing but case": (
        document(allow(Condition={"StringLike": {"aws:a": "1", "aws:A": "2"}})),
        document(allow(Condition={"StringLike": {"aws:a": "2"}})),
    ),
    "nonsense": (document(READ) | {"Statement": [READ, "x"]}, document(READ)),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_same_meaning(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert documents.canonical(one) == documents.canonical(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT)
def test_different_meaning(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert documents.canonical(one) != documents.canonical(other)


@pytest.mark.parametrize("pair", (SAME | DIFFERENT).values(), ids=SAME | DIFFERENT)
def test_canonical_is_json_and_settled(pair: Pair) -> None:
    for policy in pair:
        once = documents.canonical(policy)
        assert documents.canonical(once) == once
        assert list(documents.canonical(once)) == list(once)
        assert json.loads(json.dumps(once)) == once


def test_canonical_reads_well() -> None:
    given_text = {
        "Statement": {
            "Resource": ["arn:aws:s3:::outages/*"],
            "Action": ["s3:PutObject", "s3:GetObject"],
            "Condition": {"Bool": {"aws:SecureTransport": True}},
            "Effect": "Allow",
            "Sid": "Store",
        },
        "Version": "2012-10-17",
    }
    assert json.dumps(documents.canonical(given_text), indent=1) == json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "Store",
                    "Effect": "Allow",
                    "Action": ["s3:getobject", "s3:putobject"],
                    "Resource": "arn:aws:s3:::outages/*",
                    "Condition": {"Bool": {"aws:securetransport": "true"}},
                }
            ],
        },
        indent=1,
    )


# --- any policy, rewritten


ACTIONS = st.sampled_from(["s3:GetObject", "s3:PutObject", "ec2:Describe*", "sts:AssumeRole"])
RESOURCES = st.sampled_from(["arn:aws:s3:::a", "arn:aws:s3:::a/*", "arn:aws:s3:::A"])
ACCOUNTS = st.sampled_from(["123456789012", "210987654321"])
VALUES = st.one_of(st.booleans(), st.integers(-3, 300), st.sampled_from(["vpc-1", "Vpc-1", "10.0.0.0/8"]))


def some(element: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(element, min_size=1, max_size=3)


PRINCIPALS = st.one_of(
    st.just("*"),
    st.fixed_dictionaries(
        {}, optional={"AWS": some(ACCOUNTS), "Service": some(st.just("ec2.amazonaws.com"))}
    ),
)
CONDITIONS = st.dictionaries(
    st.sampled_from(["StringEquals", "Bool", "ForAnyValue:StringLike"]),
    st.dictionaries(
        st.sampled_from(["aws:SourceVpc", "aws:MultiFactorAuthPresent"]), some(VALUES), min_size=1
    ),
    min_size=1,
    max_size=2,
)
STATEMENTS = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"]), "Action": some(ACTIONS), "Resource": some(RESOURCES)},
    optional={"Principal": PRINCIPALS, "Condition": CONDITIONS},
)
DOCUMENTS = st.fixed_dictionaries(
    {"Statement": some(STATEMENTS)}, optional={"Version": st.sampled_from(documents.VERSIONS)}
)


def shuffled(draw: Any, mapping: dict[str, Any]) -> dict[str, Any]:
    return {key: mapping[key] for key in draw(st.permutations(list(mapping)))}


def relisted(draw: Any, values: Any) -> Any:
    """The same values in another order, some twice; or as a scalar."""
    values = list(dict.fromkeys(values)) if isinstance(values, list) else [values]
    if len(values) == 1 and draw(st.booleans()):
        return values[0]
    return draw(st.permutations(values + values[: draw(st.integers(0, 1))]))


def other_case(draw: Any, text: str) -> str:
    return str(draw(st.sampled_from([text, text.upper(), text.lower()])))


def as_json_text(value: Any) -> Any:
    return value if isinstance(value, str) else json.dumps(value)


def rewritten_statement(draw: Any, statement: dict[str, Any]) -> dict[str, Any]:
    out = dict(statement)
    out["Action"] = relisted(draw, [other_case(draw, action) for action in statement["Action"]])
    out["Resource"] = relisted(draw, statement["Resource"])
    principal = statement.get("Principal")
    if principal == "*":
        out["Principal"] = draw(st.sampled_from(["*", {"AWS": "*"}, {"AWS": ["*"]}]))
    elif principal is not None:
        spelt = {
            "AWS": lambda name: draw(st.sampled_from([name, f"arn:aws:iam::{name}:root"])),
            "Service": lambda name: name,
        }
        out["Principal"] = shuffled(
            draw, {kind: relisted(draw, [spelt[kind](one) for one in ids]) for kind, ids in principal.items()}
        )
    if "Condition" in statement:
        out["Condition"] = shuffled(
            draw,
            {
                operator: {
                    other_case(draw, key): relisted(draw, [as_json_text(value) for value in values])
                    for key, values in keys.items()
                }
                for operator, keys in statement["Condition"].items()
            },
        )
    return shuffled(draw, out)


@st.composite
def rewritten(draw: Any) -> Pair:
    """A policy and another text that means the same."""
    original = draw(DOCUMENTS)
    statements = [
        rewritten_statement(draw, statement) for statement in draw(st.permutations(original["Statement"]))
    ]
    out = original | {"Statement": statements[0] if len(statements) == 1 else statements}
    if out.get("Version", "2008-10-17") == "2008-10-17" and draw(st.booleans()):
        out.pop("Version", None)
    return original, shuffled(draw, out)


quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@quick
@given(rewritten())
def test_rewriting_keeps_the_meaning(pair: Pair) -> None:
    original, other = pair
    assert documents.canonical(original) == documents.canonical(other)


@quick
@given(DOCUMENTS)
def test_canonical_is_idempotent_and_leaves_its_input_alone(original: dict[str, Any]) -> None:
    before = json.dumps(original)
    once = documents.canonical(original)
    assert documents.canonical(once) == once
    assert json.dumps(original) == before


@quick
@given(DOCUMENTS, st.data())
def test_another_effect_action_or_resource_is_another_meaning(
    original: dict[str, Any], data: st.DataObject
) -> None:
    statements = original["Statement"]
    index = data.draw(st.integers(0, len(statements) - 1))
    statement = statements[index]
    other: dict[str, Any] = data.draw(
        st.sampled_from(
            [
                {"Effect": "Deny" if statement["Effect"] == "Allow" else "Allow"},
                {"Action": [*statement["Action"], "iam:PassRole"]},
                {"Resource": [*statement["Resource"], "arn:aws:s3:::another"]},
            ]
        )
    )
    changed = original | {"Statement": [*statements[:index], statement | other, *statements[index + 1 :]]}
    assert documents.canonical(original) != documents.canonical(changed)


@quick
@given(DOCUMENTS)
def test_canonical_forms_obey_the_grammar_when_the_document_does(original: dict[str, Any]) -> None:
    if not problems(original):
        assert not problems(documents.canonical(original))


# --- grammar


BAD: dict[str, tuple[Any, bool, documents.Path, str]] = {
    "not a mapping": ("x", False, (), 'a policy document is a mapping with Version and Statement, found "x"'),
    "empty": (None, False, (), "a policy document is a mapping with Version and Statement, found nothing"),
    "unknown element": (
        document(READ) | {"Statment": []},
        False,
        ("Statment",),
        'a policy document has no element "Statment"; did you mean "Statement"?',
    ),
    "far from everything": (
        document(READ) | {"Comment": "x"},
        False,
        ("Comment",),
        'a policy document has no element "Comment"',
    ),
    "no statement": ({"Version": "2012-10-17"}, False, (), "a policy document needs a Statement"),
    "no statements": (
        document(),
        False,
        ("Statement",),
        "must be a statement or a list of statements, found an empty list",
    ),
    "a statement that is none": (
        document("x"),  # type: ignore[arg-type]
        False,
        ("Statement", 0),
        'a statement is a mapping with Effect and Action, found "x"',
    ),
    "no version": (document(READ, version=None), False, (), 'a policy document needs Version: "2012-10-17"'),
    "old version": (
        document(READ, version="2008-10-17"),
        False,
        ("Version",),
        'IAM takes new policies of version "2012-10-17" only, found "2008-10-17"',
    ),
    "version of the year": (
        document(READ, version="2024-01-01"),
        False,
        ("Version",),
        '"2024-01-01" is no version of the policy language; write "2012-10-17"',
    ),
    "version as a number": (
        document(READ) | {"Version": 2012},
        False,
        ("Version",),
        'must be text, found the number 2012; write "2012-10-17" with the quotes',
    ),
    "id": (document(READ) | {"Id": 1}, False, ("Id",), "must be text, found the number 1"),
    "misspelt element": (
        document(READ | {"Ressource": "*"}),
        False,
        ("Statement", 0, "Ressource"),
        'a statement has no element "Ressource"; did you mean "Resource"?',
    ),
    "lower-case element": (
        document(READ | {"action": "*"}),
        False,
        ("Statement", 0, "action"),
        'a statement has no element "action"; did you mean "Action"?',
    ),
    "no effect": (
        document({"Action": "*", "Resource": "*"}),
        False,
        ("Statement", 0),
        "a statement needs an Effect: Allow or Deny",
    ),
    "effect": (
        document(allow(Effect="allow")),
        False,
        ("Statement", 0, "Effect"),
        'must be Allow or Deny, found "allow"',
    ),
    "no action": (
        document({"Effect": "Allow", "Resource": "*"}),
        False,
        ("Statement", 0),
        "a statement needs Action or NotAction",
    ),
    "both actions": (
        document(allow(NotAction="s3:*")),
        False,
        ("Statement", 0, "NotAction"),
        "a statement has Action or NotAction, not both",
    ),
    "no actions": (
        document(allow(Action=[])),
        False,
        ("Statement", 0, "Action"),
        "must not be an empty list",
    ),
    "action without a service": (
        document(allow(Action=["s3:GetObject", "GetObject"])),
        False,
        ("Statement", 0, "Action", 1),
        '"GetObject" is no action; write service:Name, such as s3:GetObject, or "*"',
    ),
    "action with two colons": (
        document(allow(Action="s3:Get:Object")),
        False,
        ("Statement", 0, "Action"),
        '"s3:Get:Object" is no action; write service:Name, such as s3:GetObject, or "*"',
    ),
    "action that is a boolean": (
        document(allow(Action=True)),
        False,
        ("Statement", 0, "Action"),
        "must be text, found the boolean true; put it in quotes",
    ),
    "no resource": (
        document({"Effect": "Allow", "Action": "*"}),
        False,
        ("Statement", 0),
        "a statement needs Resource or NotResource",
    ),
    "resource that is no ARN": (
        document(allow(Resource="my-bucket/*")),
        False,
        ("Statement", 0, "Resource"),
        'must be an ARN or "*", found "my-bucket/*"',
    ),
    "principal in a policy of an identity": (
        document(allow(Principal="*")),
        False,
        ("Statement", 0, "Principal"),
        "a policy of an identity has no Principal: it is about the role it belongs to",
    ),
    "sid": (
        document(allow(Sid="read all")),
        False,
        ("Statement", 0, "Sid"),
        'may hold letters A-Z, a-z and digits only, found "read all"',
    ),
    "sid twice": (
        document(allow(Sid="A"), WRITE, allow(Sid="A")),
        False,
        ("Statement", 2, "Sid"),
        '"A" is already the Sid of statement 1',
    ),
    "condition": (
        document(allow(Condition="x")),
        False,
        ("Statement", 0, "Condition"),
        'must be a mapping from operators to keys, found "x"',
    ),
    "condition operator": (
        condition("x", "ForAnyValue:StringEqual"),
        False,
        ("Statement", 0, "Condition", "ForAnyValue:StringEqual"),
        'no condition operator is called "ForAnyValue:StringEqual"; did you mean "StringEquals"?',
    ),
    "Null needs no IfExists": (
        condition(True, "NullIfExists"),
        False,
        ("Statement", 0, "Condition", "NullIfExists"),
        'no condition operator is called "NullIfExists"; did you mean "Null"?',
    ),
    "condition without a key": (
        document(allow(Condition={"Bool": True})),
        False,
        ("Statement", 0, "Condition", "Bool"),
        "must be a mapping from condition keys to values, found the boolean true",
    ),
    "condition value": (
        condition(["a", None]),
        False,
        ("Statement", 0, "Condition", "StringEquals", "aws:SourceVpc", 1),
        "must be text, a number or a boolean, found nothing",
    ),
    "one statement": (
        {"Version": "2012-10-17", "Statement": allow(Effect=1)},
        False,
        ("Statement", "Effect"),
        "must be Allow or Deny, found the number 1",
    ),
    "trust without a principal": (
        document({"Effect": "Allow", "Action": "sts:AssumeRole"}),
        True,
        ("Statement", 0),
        "a statement needs a Principal",
    ),
    "trust with a resource": (
        document(allow(Action="sts:AssumeRole", Principal="*")),
        True,
        ("Statement", 0, "Resource"),
        "a trust policy has no Resource: it is about the role it belongs to",
    ),
    "trust with another service's action": (
        document({"Effect": "Allow", "Action": "s3:GetObject", "Principal": "*"}),
        True,
        ("Statement", 0, "Action"),
        'a trust policy takes actions of sts only, such as sts:AssumeRole; found "s3:GetObject"',
    ),
    "principal as text": (
        trusted("ec2.amazonaws.com"),
        True,
        ("Statement", 0, "Principal"),
        'must be "*" or a mapping with one or more of AWS, Federated, Service, CanonicalUser;'
        ' found "ec2.amazonaws.com"',
    ),
    "misspelt kind of principal": (
        trusted({"service": "ec2.amazonaws.com"}),
        True,
        ("Statement", 0, "Principal", "service"),
        'a principal has no element "service"; did you mean "Service"?',
    ),
    "account id as a number": (
        trusted({"AWS": 123456789012}),
        True,
        ("Statement", 0, "Principal", "AWS"),
        "must be text, found the number 123456789012; put it in quotes",
    ),
    "empty principal": (
        trusted({"AWS": ""}),
        True,
        ("Statement", 0, "Principal", "AWS"),
        "must not be empty",
    ),
}

GOOD: dict[str, tuple[dict[str, Any], bool]] = {
    "plain": (document(READ, WRITE), False),
    "everything": (document(allow(Action="*")), False),
    "all actions of all services": (document(allow(Action="*:*")), False),
    "odd services": (
        document(allow(Action=["execute-api:Invoke", "kafka-cluster:*", "s3:Get?bject"])),
        False,
    ),
    "inverted": (document({"Effect": "Deny", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::a"}), False),
    "variables": (document(allow(Resource="arn:aws:s3:::a/${aws:username}/*")), False),
    "empty sids": (document(allow(Sid=""), allow(Sid="", Action="s3:PutObject")), False),
    "condition": (condition(True, "BoolIfExists"), False),
    "condition on sets": (condition(["a", 1], "ForAllValues:StringLikeIfExists"), False),
    "trust": (documents.trust_for(["ec2.amazonaws.com"]), True),
    "trust of the old version": (trusted({"AWS": ROOT}) | {"Version": "2008-10-17"}, True),
    "trust without a version": (document(*trusted("*")["Statement"], version=None), True),
}


@pytest.mark.parametrize(("given_document", "trust", "path", "message"), BAD.values(), ids=BAD)
def test_problem(given_document: Any, trust: bool, path: documents.Path, message: str) -> None:
    assert problems(given_document, trust) == [(path, message)]


@pytest.mark.parametrize(("given_document", "trust"), GOOD.values(), ids=GOOD)
def test_no_problem(given_document: Any, trust: bool) -> None:
    assert problems(given_document, trust) == []


def test_all_problems_at_once() -> None:
    found = problems({"Version": "2013", "Statement": [{"Efect": "Allow"}, 7]})
    assert [path for path, _ in found] == [
        ("Version",),
        ("Statement", 0, "Efect"),
        ("Statement", 0),
        ("Statement", 0),
        ("Statement", 0),
        ("Statement", 1),
    ]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*documents.ELEMENTS, *documents.STATEMENT_ELEMENTS, "AWS"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@quick
@given(ANYTHING)
def test_anything_may_be_asked_about(anything: Any) -> None:
    for trust in (True, False):
        for path, message in problems(anything, trust):
            assert isinstance(path, tuple)
            assert message


# --- sending


def test_trust_for_one_service_and_for_more() -> None:
    assert documents.trust_for(["ec2.amazonaws.com"]) == trusted({"Service": "ec2.amazonaws.com"})
    assert documents.trust_for(["a.amazonaws.com", "b.amazonaws.com"]) == trusted(
        {"Service": ["a.amazonaws.com", "b.amazonaws.com"]}
    )


def test_compact_is_json_without_white_space_and_version_first() -> None:
    text = documents.compact({"Statement": [allow(Sid="a b")], "Version": "2012-10-17"})
    assert text == (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*",'
        '"Sid":"a b"}]}'
    )
    assert documents.size({"Statement": [allow(Sid="a b")], "Version": "2012-10-17"}) == len(text)


def test_compact_has_only_characters_that_iam_takes() -> None:
    text = documents.compact(document(allow(Resource="arn:aws:s3:::łódź")))
    assert text.isascii()
    assert json.loads(text)["Statement"][0]["Resource"] == "arn:aws:s3:::łódź"
