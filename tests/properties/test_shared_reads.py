"""A shared answer is what the own question would have been answered, whoever asks beside."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.aws.shared_reads import shared
from provisioner.errors import AwsError
from provisioner.kinds.base import Reader
from provisioner.model import Environment, Identity

NAMES = ("a", "b", "b-2", "c*", "d")
IDS = tuple(f"i-{number}" for number in range(6))
GROUPS = tuple(f"sg-{number}" for number in range(5))
TAG = "tag:provisioner:environment"


class Question(NamedTuple):
    """What a kind asks; `key` is where the items are, of one that has pages."""

    operation: str
    key: str
    params: Mapping[str, Any]
    paged: bool = True
    service: str = "ec2"

    def ask(self, reader: Reader) -> Any:
        """The answer, or the code of the error."""
        try:
            if self.paged:
                return list(reader.pages(self.service, self.operation, self.key, **self.params))
            return reader.call(self.service, self.operation, **self.params)[self.key]
        except AwsError as error:
            return error.code

    @property
    def values(self) -> Sequence[str]:
        """What the filter is for, or the path."""
        filters = self.params.get("Filters")
        if filters:
            return [value for one in filters for value in one["Values"]]
        return self.params.get("InstanceIds") or [self.params.get("PathPrefix", "")]


def _of_instance(item: Any, name: str) -> list[str]:
    return {
        TAG: _tag(item),
        "instance-id": [item["InstanceId"]],
        "iam-instance-profile.arn": [item.get("IamInstanceProfile", {}).get("Arn", "")],
        "instance-state-name": [item["State"]["Name"]],
    }[name]


def _of_group(item: Any, name: str) -> list[str]:
    def peers(rules: str) -> list[str]:
        return [pair["GroupId"] for rule in item[rules] for pair in rule["UserIdGroupPairs"]]

    return {
        TAG: _tag(item),
        "group-id": [item["GroupId"]],
        "group-name": [item["GroupName"]],
        "ip-permission.group-id": peers("IpPermissions"),
        "egress.ip-permission.group-id": peers("IpPermissionsEgress"),
    }[name]


def _of_volume(item: Any, name: str) -> list[str]:
    return {TAG: _tag(item), "attachment.instance-id": [one["InstanceId"] for one in item["Attachments"]]}[
        name
    ]


def _of_key(item: Any, name: str) -> list[str]:
    return {TAG: _tag(item), "key-name": [item["KeyName"]]}[name]


def _tag(item: Any) -> list[str]:
    return [tag["Value"] for tag in item.get("Tags", ()) if tag["Key"] == TAG.removeprefix("tag:")]


def _matches(value: str, pattern: str) -> bool:
    """As EC2 matches: `*` and `?` are wildcards unless a backslash is before them."""
    parts = re.findall(r"\\.|.", pattern)
    as_glob = "".join(f"[{part[1]}]" if len(part) == 2 else part for part in parts)
    return fnmatchcase(value, as_glob)


class Account:
    """A little AWS: it has these things, and refuses what `refusal` gives a code for."""

    def __init__(
        self, things: Mapping[str, Sequence[Any]], refusal: Callable[[Question], str | None] = lambda _: None
    ) -> None:
        self.things = things
        self.refusal = refusal
        self.asked: list[Question] = []

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        key = {"DescribeKeyPairs": "KeyPairs", "DescribeInstanceStatus": "InstanceStatuses"}[operation]
        return {key: self._answer(Question(operation, key, params, False, service))}

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[Any]:
        yield from self._answer(Question(operation, key, params, True, service))

    def _answer(self, question: Question) -> list[Any]:
        self.asked.append(question)
        assert len(question.values) <= 200
        if code := self.refusal(question):
            raise AwsError(question.service, question.operation, code, "no", 403)
        items = self.things[question.operation]
        if question.service == "iam":
            return [item for item in items if item["Path"].startswith(question.params["PathPrefix"])]
        if question.operation == "DescribeInstances":
            kept = [
                (holder, [item for item in holder["Instances"] if self._passes(item, question)])
                for holder in items
            ]
            return [{**holder, "Instances": instances} for holder, instances in kept if instances]
        if ids := question.params.get("InstanceIds"):
            if set(ids) - set(IDS[:4]):
                raise AwsError("ec2", question.operation, "InvalidInstanceID.NotFound", "there is none", 400)
            return [item for item in items if item["InstanceId"] in ids]
        return [item for item in items if self._passes(item, question)]

    def _passes(self, item: Any, question: Question) -> bool:
        of = {
            "DescribeInstances": _of_instance,
            "DescribeSecurityGroups": _of_group,
            "DescribeVolumes": _of_volume,
            "DescribeKeyPairs": _of_key,
        }[question.operation]
        return all(
            any(_matches(value, wanted) for value in of(item, one["Name"]) for wanted in one["Values"])
            for one in question.params["Filters"]
        )

    def in_region(self, region: str) -> Reader:
        raise NotImplementedError

    def parallel(self, *reads: Any) -> list[Any]:
        return [read() for read in reads]

    def answers(self, operation: str) -> list[dict[str, Any]]:
        return []

    def now(self) -> datetime:
        return datetime.now(UTC)

    def identity(self) -> Identity:
        return Identity("123456789012", "aws")


def _environments(names: Sequence[str]) -> list[Environment]:
    return [Environment(name, "us-east-1") for name in names]


# --- what there may be

tags = st.lists(
    st.builds(
        lambda key, value: {"Key": key, "Value": value},
        st.sampled_from(["provisioner:environment", "other"]),
        st.sampled_from([*NAMES, "z", "cx"]),
    ),
    max_size=2,
    unique_by=lambda tag: tag["Key"],
)
states = st.sampled_from(["running", "stopped", "terminated"])
arns = st.sampled_from([f"arn:{name}" for name in NAMES])
instances = st.builds(
    lambda id_, tagged, state, arn: (
        {"InstanceId": id_, "Tags": tagged, "State": {"Name": state}}
        | ({"IamInstanceProfile": {"Arn": arn}} if arn else {})
    ),
    st.sampled_from(IDS),
    tags,
    states,
    st.none() | arns,
)
reservations = st.builds(
    lambda id_, held: {"ReservationId": id_, "Instances": held},
    st.text("r123", min_size=1, max_size=4),
    st.lists(instances, min_size=1, max_size=4),
)
rules = st.lists(
    st.builds(
        lambda ids: {"UserIdGroupPairs": [{"GroupId": id_} for id_ in ids]},
        st.lists(st.sampled_from(GROUPS), max_size=3),
    ),
    max_size=2,
)
groups = st.builds(
    lambda id_, name, tagged, ingress, egress: {
        "GroupId": id_,
        "GroupName": name,
        "Tags": tagged,
        "IpPermissions": ingress,
        "IpPermissionsEgress": egress,
    },
    st.sampled_from(GROUPS),
    st.sampled_from(NAMES),
    tags,
    rules,
    rules,
)
volumes = st.builds(
    lambda tagged, ids: {"Tags": tagged, "Attachments": [{"InstanceId": id_} for id_ in ids]},
    tags,
    st.lists(st.sampled_from(IDS), max_size=2),
)
keys = st.builds(lambda name, tagged: {"KeyName": name, "Tags": tagged}, st.sampled_from(NAMES), tags)
paths = st.builds(
    lambda path, name: {"Path": path, "RoleName": name},
    st.sampled_from(["/", "/provisioner/", "/other/", *(f"/provisioner/{name}/" for name in (*NAMES, "z"))]),
    st.text("xy", max_size=3),
)
statuses = st.builds(lambda id_: {"InstanceId": id_}, st.sampled_from(IDS[:4]))
things = st.fixed_dictionaries(
    {
        "DescribeInstances": st.lists(reservations, max_size=5),
        "DescribeSecurityGroups": st.lists(groups, max_size=5),
        "DescribeVolumes": st.lists(volumes, max_size=5),
        "DescribeKeyPairs": st.lists(keys, max_size=5),
        "ListRoles": st.lists(paths, max_size=6),
        "ListInstanceProfiles": st.lists(paths, max_size=6),
        "DescribeInstanceStatus": st.lists(statuses, max_size=4),
    }
)

# --- what may be asked


def _escaped(value: str) -> str:
    return re.sub(r"([*?\\])", r"\\\1", value)


def _filter(name: str, *values: str) -> dict[str, Any]:
    return {"Name": name, "Values": [_escaped(value) for value in values]}


def some(values: Sequence[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True)


LIVE = {"Name": "instance-state-name", "Values": ["running", "stopped"]}
PAGED = {
    "DescribeInstances": "Reservations",
    "DescribeSecurityGroups": "SecurityGroups",
    "DescribeVolumes": "Volumes",
}


def by(operation: str, name: str, values: Sequence[str], *more: Any) -> st.SearchStrategy[Question]:
    return some(values).map(
        lambda chosen: Question(
            operation,
            PAGED.get(operation, "KeyPairs"),
            {"Filters": [_filter(name, *chosen), *more]},
            operation in PAGED,
        )
    )


tagged = st.sampled_from(NAMES).flatmap(
    lambda name: st.sampled_from(
        [
            *(
                Question(operation, key, {"Filters": [_filter(TAG, name)]})
                for operation, key in PAGED.items()
            ),
            Question("DescribeKeyPairs", "KeyPairs", {"Filters": [_filter(TAG, name)]}, paged=False),
            Question("ListRoles", "Roles", {"PathPrefix": f"/provisioner/{name}/"}, service="iam"),
            Question("ListInstanceProfiles", "Some", {"PathPrefix": f"/provisioner/{name}/"}, service="iam"),
            Question("ListInstanceProfiles", "Some", {"PathPrefix": "/"}, service="iam"),
        ]
    )
)
questions = st.lists(
    tagged
    | by("DescribeInstances", "instance-id", IDS, LIVE)
    | by("DescribeInstances", "instance-id", IDS)
    | by("DescribeInstances", "iam-instance-profile.arn", [f"arn:{name}" for name in NAMES], LIVE)
    | by("DescribeSecurityGroups", "group-id", GROUPS)
    | by("DescribeSecurityGroups", "group-name", NAMES)
    | by("DescribeSecurityGroups", "ip-permission.group-id", GROUPS)
    | by("DescribeSecurityGroups", "egress.ip-permission.group-id", GROUPS)
    | by("DescribeVolumes", "attachment.instance-id", IDS)
    | by("DescribeKeyPairs", "key-name", NAMES)
    | st.just(
        Question("DescribeKeyPairs", "KeyPairs", {"Filters": [{"Name": TAG, "Values": ["c*"]}]}, paged=False)
    )
    | some(IDS).map(
        lambda ids: Question("DescribeInstanceStatus", "InstanceStatuses", {"InstanceIds": ids}, paged=False)
    ),
    min_size=1,
    max_size=12,
)


def _is_wide(question: Question) -> bool:
    return len(question.values) > 3 or question.values == ["/provisioner/"]


REFUSALS: Mapping[str, Callable[[Question], str | None]] = {
    "nothing": lambda question: None,
    "everything wide": lambda question: "UnauthorizedOperation" if _is_wide(question) else None,
    "more than one value": lambda question: "AccessDenied" if len(question.values) > 1 else None,
    "too much at once": lambda question: "AnswerTooLarge" if _is_wide(question) else None,
    "all of EC2": lambda question: "UnauthorizedOperation" if question.service == "ec2" else None,
    "one environment": lambda question: "AccessDenied" if question.values == ["b"] else None,
}


@settings(max_examples=120, deadline=None)
@given(things, questions, st.sampled_from(sorted(REFUSALS)), st.sampled_from([1, 2, 5]))
@pytest.mark.long
def test_a_shared_answer_is_what_the_own_question_would_have_been_answered(
    there: Mapping[str, Sequence[Any]], asked: list[Question], refusal: str, names: int
) -> None:
    own = Account(there, REFUSALS[refusal])
    alone = [question.ask(own) for question in asked]
    account = Account(there, REFUSALS[refusal])
    reader = shared(account, _environments(NAMES[:names]))
    with ThreadPoolExecutor(len(asked)) as pool:
        together = list(pool.map(lambda question: question.ask(reader), asked))
    if refusal == "one environment":
        # A question for several is not the one that is denied, so whoever is denied alone may be answered.
        pairs = [(one, other) for one, other in zip(alone, together, strict=True) if one != "AccessDenied"]
        assert all(one == other for one, other in pairs)
    else:
        assert together == alone


def test_two_hundred_environments_ask_once() -> None:
    names = [f"e{number:03}" for number in range(200)]
    account = Account({operation: [] for operation in (*PAGED, "DescribeKeyPairs", "ListRoles")})
    reader = shared(account, _environments(names))
    for name in names:
        for operation, key in PAGED.items():
            assert Question(operation, key, {"Filters": [_filter(TAG, name)]}).ask(reader) == []
        by_tag = {"Filters": [_filter(TAG, name)]}
        assert Question("DescribeKeyPairs", "KeyPairs", by_tag, paged=False).ask(reader) == []
        path = {"PathPrefix": f"/provisioner/{name}/"}
        assert Question("ListRoles", "Roles", path, service="iam").ask(reader) == []
    assert [question.operation for question in account.asked] == [*PAGED, "DescribeKeyPairs", "ListRoles"]


def test_what_is_throttled_is_told_to_all_who_asked_and_asked_once() -> None:
    account = Account({"DescribeInstances": []}, lambda _: "RequestLimitExceeded")
    reader = shared(account, _environments(NAMES))
    asked = [
        Question("DescribeInstances", "Reservations", {"Filters": [_filter(TAG, name)]}) for name in NAMES
    ]
    assert {question.ask(reader) for question in asked} == {"RequestLimitExceeded"}
    assert len(account.asked) == 1


def test_an_item_that_nobody_can_have_asked_for_makes_everybody_ask_alone() -> None:
    """Filters may look at what a description does not show yet."""

    class Lagging(Account):
        def _passes(self, item: Any, question: Question) -> bool:
            return any("a" in one["Values"] for one in question.params["Filters"])

    there = {"DescribeInstances": [{"Instances": [{"InstanceId": "i-0", "State": {"Name": "running"}}]}]}
    asked = [
        Question("DescribeInstances", "Reservations", {"Filters": [_filter(TAG, name)]}) for name in "abd"
    ]
    account = Lagging(there)
    reader = shared(account, _environments(NAMES))
    assert [question.ask(reader) for question in asked] == [there["DescribeInstances"], [], []]


def test_whoever_writes_gets_no_shared_answers() -> None:
    class Writer(Account):
        def send(self, service: str, operation: str, **params: Any) -> None:
            raise NotImplementedError

    with pytest.raises(TypeError, match="observes for himself"):
        shared(Writer({}), [])


def test_what_is_of_the_account_is_asked_in_one_region_for_all() -> None:
    first, second = Account({"ListRoles": []}), Account({"DescribeVolumes": []})
    one = shared(first, _environments(["a", "b"]))
    other = shared(second, _environments(["a", "b"]), of_account=one)
    roles = Question("ListRoles", "Roles", {"PathPrefix": "/provisioner/a/"}, service="iam")
    assert roles.ask(one) == roles.ask(other) == []
    assert Question("DescribeVolumes", "Volumes", {"Filters": [_filter(TAG, "a")]}).ask(other) == []
    assert [question.operation for question in first.asked] == ["ListRoles"]
    assert [question.operation for question in second.asked] == ["DescribeVolumes"]
