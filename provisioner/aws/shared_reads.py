"""Many environments of one account and region are observed together, with the kinds unchanged.

Each kind asks what it would ask of AWS for one environment. What all of them ask alike is asked once. What
differs in the value of one filter is asked for all values in one question, and each gets from the answer what
its own would have given. Where the joint question is denied, as a policy may allow only some paths or tags,
everybody asks alone.

For plans only: whoever writes looks for himself, after the answers that are shared here were given.
"""

from __future__ import annotations

import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeVar

from provisioner.errors import AwsError
from provisioner.kinds.base import Reader
from provisioner.kinds.shared_reads import SharedReads, environment_path, question
from provisioner.model import Environment
from provisioner.naming import ENVIRONMENT_TAG, IAM_ROOT
from provisioner.retry import INVALID_ANSWER, TOO_LARGE, is_withheld

T = TypeVar("T")
Values = Callable[[Any], Iterable[str]]

# Of all filters of a call together.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html (FilterLimitExceeded)
MAX_FILTER_VALUES = 200
# What of a question is given by ids takes fewer.
MAX_IDS = 100
# A question that others may join is sent when nobody has come for so long, and at last after so long.
LINGER_S, MAX_LINGER_S = 0.012, 0.2
# How many environments at most ask side by side; the others find what these have asked.
MAX_SCOUTS = 3
# What an account has once, whatever the region.
OF_ACCOUNT = frozenset({"iam", "sts"})
_BY_TAG = f"tag:{ENVIRONMENT_TAG}"
_TOO_MUCH = frozenset({INVALID_ANSWER, TOO_LARGE, "FilterLimitExceeded", "InvalidParameterValue"})


def shared(
    reader: Reader, environments: Collection[Environment], of_account: Reader | None = None
) -> SharedReads:
    """A reader of the account and region of all these environments, which answers each as `reader` would.

    `of_account`: one that was made by this for another region of the same account, as the same caller; what
    is of the account is asked there. Raises TypeError for a reader that writes.
    """
    if hasattr(reader, "send"):
        raise TypeError("whoever writes observes for himself: answers are shared by those who only read")
    return JointReads(reader, sorted({environment.name for environment in environments}), of_account)


class Joint(NamedTuple):
    """A question that others may join: all of it but the values, and those. `name` is of the filter, or of
    the parameter that takes ids; `values_of` is what of an item that looks at."""

    service: str
    operation: str
    key: str
    paged: bool
    params: Mapping[str, Any]
    name: str
    values: tuple[str, ...]
    values_of: Values

    @property
    def rest(self) -> str:
        """The same for all that can be one question."""
        return question(self.service, self.operation, self.key, self.name, self.params)

    def most(self) -> int:
        """How many values one question takes."""
        if self.operation in _BY_IDS:
            return MAX_IDS
        return MAX_FILTER_VALUES - sum(len(one["Values"]) for one in self.params.get("Filters", ()))

    def asked_for(self, values: Iterable[str]) -> dict[str, Any]:
        """The parameters that ask for these values."""
        if self.name == _BY_IDS.get(self.operation, ("", None))[0]:
            return {**self.params, self.name: list(values)}
        own = {"Name": self.name, "Values": [_literal(value) for value in values]}
        return {**self.params, "Filters": [own, *self.params.get("Filters", ())]}


class Rows:
    """The items of a joint answer, found by the values that they were asked for by.

    Raises LookupError for an item that none of the values can have found: then nobody knows whose it is.
    """

    def __init__(self, joint: Joint, items: Iterable[Any], asked: Collection[str]) -> None:
        self._holders: list[Any] = []
        self._items: list[tuple[int, Any]] = []
        self._by_value: dict[str, list[int]] = defaultdict(list)
        self._nested = joint.operation == "DescribeInstances"
        asked = set(asked)
        for holder in items:
            self._holders.append(holder)
            for item in holder["Instances"] if self._nested else (holder,):
                found = asked.intersection(joint.values_of(item))
                if not found:
                    raise LookupError(f"{joint.operation} answered what nobody has asked for")
                for value in found:
                    self._by_value[value].append(len(self._items))
                self._items.append((len(self._holders) - 1, item))

    def of(self, values: Iterable[str]) -> list[Any]:
        """What a question for these values would have been answered."""
        numbers = sorted({number for value in values for number in self._by_value.get(value, ())})
        rows = [self._items[number] for number in numbers]
        if not self._nested:
            return [item for _, item in rows]
        held: dict[int, list[Any]] = defaultdict(list)
        for holder, item in rows:
            held[holder].append(item)
        return [{**self._holders[holder], "Instances": items} for holder, items in held.items()]


class _Batch:
    """A joint question that is not sent yet, and the answer to it."""

    def __init__(self) -> None:
        self.values: dict[str, None] = {}
        self.answer: Future[tuple[Rows, Mapping[str, Any]]] = Future()


class JointReads(SharedReads):
    """See `shared`. `names` are the environments that are known to ask."""

    def __init__(self, reader: Reader, names: Sequence[str], of_account: Reader | None = None) -> None:
        super().__init__(reader)
        self._names = names
        self._of_account = of_account
        self._lock = threading.Lock()
        self._open: dict[str, _Batch] = {}
        self._scouts = threading.BoundedSemaphore(MAX_SCOUTS)
        # Whether there was something to ask lately.
        self._is_asking = True

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        if self._of_account and service in OF_ACCOUNT:
            return self._of_account.call(service, operation, **params)
        joint = self._joint(service, operation, _ITEMS.get(operation, ""), False, params)
        if joint is None:
            return super().call(service, operation, **params)

        def read() -> dict[str, Any]:
            found, answer = self._found(joint)
            return {**answer, joint.key: found}

        alone = super().call
        return self._unless_denied(joint, read, lambda: alone(service, operation, **params))

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[Any]:
        if self._of_account and service in OF_ACCOUNT:
            yield from self._of_account.pages(service, operation, key, **params)
            return
        alone = super().pages
        path = str(params.get("PathPrefix", ""))
        if service == "iam" and len(self._names) > 1 and environment_path(path):
            yield from self._under(path, operation, key, params, alone)
            return
        joint = self._joint(service, operation, key, True, params)
        if joint is None:
            yield from alone(service, operation, key, **params)
            return
        yield from self._unless_denied(
            joint,
            lambda: self._found(joint)[0],
            lambda: list(alone(service, operation, key, **params)),
        )

    def identity(self) -> Any:
        return self._of_account.identity() if self._of_account else super().identity()

    def parallel(self, *reads: Callable[[], T]) -> list[T]:
        """The first ask side by side; others find what these have asked, and need no threads for that."""
        if len(reads) < 2:
            return [read() for read in reads]
        before = len(self._once)
        try:
            if not (self._is_asking and self._scouts.acquire(blocking=False)):
                return [read() for read in reads]
            try:
                return super().parallel(*reads)
            finally:
                self._scouts.release()
        finally:
            self._is_asking = len(self._once) > before

    def in_region(self, region: str) -> Reader:
        if self._of_account:
            return self._of_account.in_region(region)
        if getattr(self._reader, "target", None) and self._reader.target.region == region:  # type: ignore[attr-defined]
            return self
        return self._once(f"region {region}", lambda: JointReads(self._reader.in_region(region), (), self))

    # --- one path of IAM for all environments

    def _under(
        self, path: str, operation: str, key: str, params: Mapping[str, Any], alone: Callable[..., Any]
    ) -> Iterator[Any]:
        """What a listing of an environment's path has, out of that of all."""
        of_all = {**params, "PathPrefix": IAM_ROOT}

        def by_path() -> Mapping[str, Sequence[Any]]:
            found: dict[str, list[Any]] = defaultdict(list)
            for item in alone("iam", operation, key, **of_all):
                found[environment_path(item["Path"])].append(item)
            return found

        try:
            every = self._once(f"{question(operation, key, of_all)} by path", by_path)
        except AwsError as error:
            if not _is_about_the_joint(error):
                raise
            yield from alone("iam", operation, key, **params)
            return
        yield from (item for item in every.get(environment_path(path), ()) if item["Path"].startswith(path))

    # --- one filter for all values

    def _joint(
        self, service: str, operation: str, key: str, paged: bool, params: Mapping[str, Any]
    ) -> Joint | None:
        """The question as one that others may join; None: it is not."""
        if service != "ec2" or operation not in _JOINTS or not key:
            return None
        known = _JOINTS[operation]
        if operation in _BY_IDS and _BY_IDS[operation][0] in params:
            name, values_of = _BY_IDS[operation]
            rest = {other: value for other, value in params.items() if other != name}
            return Joint(service, operation, key, paged, rest, name, tuple(params[name]), values_of)
        filters: list[Mapping[str, Any]] = list(params.get("Filters", ()))
        chosen = next((one for one in filters if one["Name"] in known), None)
        if chosen is None:
            return None
        values = [_meant(value) for value in chosen["Values"]]
        if None in values or len(values) > MAX_IDS:
            return None
        rest = {**params, "Filters": [one for one in filters if one is not chosen]}
        if not rest["Filters"]:
            del rest["Filters"]
        name = chosen["Name"]
        return Joint(
            service, operation, key, paged, rest, name, tuple(value or "" for value in values), known[name]
        )

    def _found(self, joint: Joint) -> tuple[list[Any], Mapping[str, Any]]:
        known = self._known_beside(joint)
        if known:
            rows, answer = self._once(f"{joint.rest} {known[0]}", lambda: self._ask(joint, known))
        else:
            own = f"{joint.rest} {sorted(joint.values)} with others"
            rows, answer = self._once(own, lambda: self._ask_with_others(joint))
        return rows.of(joint.values), answer

    def _known_beside(self, joint: Joint) -> Sequence[str]:
        """The environments that will ask the same; none: who will is not known."""
        if joint.name != _BY_TAG or len(joint.values) != 1 or joint.values[0] not in self._names:
            return ()
        most = joint.most()
        start = self._names.index(joint.values[0]) // most * most
        return self._names[start : start + most]

    def _ask(self, joint: Joint, values: Sequence[str]) -> tuple[Rows, Mapping[str, Any]]:
        params = joint.asked_for(values)
        if joint.paged:
            items = tuple(self._reader.pages(joint.service, joint.operation, joint.key, **params))
            return Rows(joint, items, values), {}
        answer = self._reader.call(joint.service, joint.operation, **params)
        if answer.get("NextToken"):
            raise LookupError("there is more than one answer to a question without pages")
        return Rows(joint, answer[joint.key], values), answer

    def _ask_with_others(self, joint: Joint) -> tuple[Rows, Mapping[str, Any]]:
        """The answer to the question with the values of all who ask it at this time."""
        rest = joint.rest
        with self._lock:
            batch = self._open.get(rest)
            first = batch is None or len({**batch.values, **dict.fromkeys(joint.values)}) > joint.most()
            if batch is None or first:
                batch = self._open[rest] = _Batch()
            batch.values |= dict.fromkeys(joint.values)
        if first:
            self._wait_for_others(batch, joint.most())
            with self._lock:
                if self._open.get(rest) is batch:
                    del self._open[rest]
            try:
                batch.answer.set_result(self._ask(joint, list(batch.values)))
            except BaseException as error:  # noqa: BLE001  whoever waits has to hear of it, whatever it is
                batch.answer.set_exception(error)
        return batch.answer.result()

    def _wait_for_others(self, batch: _Batch, most: int) -> None:
        if len(self._names) == 1:
            return
        until = time.monotonic() + MAX_LINGER_S
        while True:
            there = len(batch.values)
            time.sleep(LINGER_S)
            if len(batch.values) in (there, most) or time.monotonic() > until:
                return

    def _unless_denied(self, joint: Joint, read: Callable[[], T], alone: Callable[[], T]) -> T:
        try:
            return read()
        except LookupError:
            return alone()
        except AwsError as error:
            if _is_about_the_joint(error) or joint.operation in _BY_IDS:
                return alone()
            raise


def _is_about_the_joint(error: AwsError) -> bool:
    """Whether somebody who asks for less may be answered: it is denied, or too much for one answer."""
    return is_withheld(error) or error.code in _TOO_MUCH


def _literal(text: str) -> str:
    return re.sub(r"([*?\\])", r"\\\1", text)


def _meant(value: str) -> str | None:
    """The text that a value of a filter means; None where it is a pattern."""
    if re.search(r"(?<!\\)(\\\\)*[*?]", value):
        return None
    return re.sub(r"\\([*?\\])", r"\1", value)


def _tag(item: Any) -> Iterator[str]:
    return (tag["Value"] for tag in item.get("Tags", ()) if tag["Key"] == ENVIRONMENT_TAG)


def _field(name: str) -> Values:
    return lambda item: [item[name]] if name in item else []


def _of_each(list_name: str, name: str) -> Values:
    return lambda item: [inner[name] for inner in item.get(list_name, ()) if name in inner]


def _peers(list_name: str) -> Values:
    return lambda group: [
        pair["GroupId"]
        for rule in group.get(list_name, ())
        for pair in rule.get("UserIdGroupPairs", ())
        if "GroupId" in pair
    ]


def _profile_arn(instance: Any) -> Iterable[str]:
    return _field("Arn")(instance.get("IamInstanceProfile", {}))


# By which filters questions are joined, and what of an item each looks at, as the documents of the operations
# say: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Operations.html
_JOINTS: Mapping[str, Mapping[str, Values]] = {
    "DescribeInstances": {
        _BY_TAG: _tag,
        "instance-id": _field("InstanceId"),
        "iam-instance-profile.arn": _profile_arn,
    },
    "DescribeSecurityGroups": {
        _BY_TAG: _tag,
        "group-id": _field("GroupId"),
        "group-name": _field("GroupName"),
        "ip-permission.group-id": _peers("IpPermissions"),
        "egress.ip-permission.group-id": _peers("IpPermissionsEgress"),
    },
    "DescribeSecurityGroupRules": {"group-id": _field("GroupId")},
    "DescribeKeyPairs": {_BY_TAG: _tag, "key-name": _field("KeyName")},
    "DescribeVolumes": {_BY_TAG: _tag, "attachment.instance-id": _of_each("Attachments", "InstanceId")},
    "DescribeIamInstanceProfileAssociations": {"instance-id": _field("InstanceId")},
    "DescribeNetworkInterfaces": {"group-id": _of_each("Groups", "GroupId")},
    "DescribeVpcs": {"vpc-id": _field("VpcId")},
    "DescribeInstanceTypes": {"instance-type": _field("InstanceType")},
    "DescribeInstanceTypeOfferings": {"instance-type": _field("InstanceType")},
    "DescribeInstanceStatus": {},
}
# Those that take ids, of which one that there is not makes the whole question fail; then each asks alone.
_BY_IDS: Mapping[str, tuple[str, Values]] = {
    "DescribeInstanceStatus": ("InstanceIds", _field("InstanceId")),
}
# Where the items are of operations that are asked for without pages.
_ITEMS: Mapping[str, str] = {
    "DescribeKeyPairs": "KeyPairs",
    "DescribeInstanceStatus": "InstanceStatuses",
}
