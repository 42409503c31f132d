"""What a spec names and the account does not have: told with what it has, so that a slip is seen at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

from provisioner.errors import AwsError
from provisioner.kinds.base import Reader
from provisioner.kinds.fleet.observed import Problem
from provisioner.kinds.tags import (
    as_tags,
    tags_in_words,
)

Found = TypeVar("Found")

MAX_NAMED = 10
MAX_SUGGESTED = 3
MAX_PAGES = 10


def missing(
    what: str,
    written: Sequence[str],
    there: Callable[[], Iterable[str]],
    check: str,
    where: str = "this region",
) -> Problem:
    """`there is no key pair prd in this region`: `did you mean prod?; there are prod, test; check key_name`.

    `there` reads the names that exist; where these credentials may not look, they are left out.
    """
    names = _names(there)
    hint = "; ".join((*_instead(written, names), f"check `{check}:`"))
    return Problem(f"there is no {what} {' or '.join(written)} in {where}", hint)


def did_you_mean(written: Sequence[str], names: Iterable[str]) -> str:
    """`did you mean t3.medium?`, or nothing."""
    near = dict.fromkeys(one for word in written for one in _near(word, list(names)))
    return f"did you mean {' or '.join(list(near)[:MAX_SUGGESTED])}?" if near else ""


def key_pairs(reader: Reader) -> list[str]:
    """The names of the key pairs of the region. Raises AwsError."""
    return [key_pair["KeyName"] for key_pair in reader.call("ec2", "DescribeKeyPairs")["KeyPairs"]]


def subnets(reader: Reader, **params: Any) -> list[Mapping[str, Any]]:
    """All subnets that match. Raises AwsError."""
    return list(reader.pages("ec2", "DescribeSubnets", "Subnets", **params))


def no_such_subnets(reader: Reader, written: Sequence[str]) -> Problem:
    """Which of these subnets there are not, and which there are."""
    found = _read(lambda: subnets(reader))
    gone = [subnet for subnet in written if subnet not in {one["SubnetId"] for one in found or ()}]
    places = [f"{subnet['SubnetId']} in {subnet['AvailabilityZone']}" for subnet in found or ()]
    return missing("subnet", gone or written, lambda: places, "subnets")


def no_such_subnet_tags(reader: Reader, wanted: Mapping[str, str]) -> Problem:
    """That no subnet has these tags, and which values of them, or else which keys, subnets have."""
    tags = [as_tags(subnet.get("Tags")) for subnet in _read(lambda: subnets(reader)) or ()]
    values = sorted(
        {f"{key}={subnet_tags[key]}" for subnet_tags in tags for key in wanted if key in subnet_tags}
    )
    keys = sorted({key for subnet_tags in tags for key in subnet_tags})
    hint = "check `subnets:`"
    if values:
        hint = f"there are subnets with {_some(values)}; {hint}"
    elif keys:
        hint = f"the tags of subnets are {_some(keys)}; {hint}"
    return Problem(f"no subnet has the tags {tags_in_words(wanted)}", hint)


def near_parameters(reader: Reader, name: str) -> str:
    """Which SSM parameters beside this one may have been meant: `did you mean ...?; `, or nothing.

    https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html
    """
    path, _, _ = name.rpartition("/")
    if not path:
        return ""
    told = did_you_mean([name], _read(lambda: list(_parameters(reader, path))) or ())
    return f"{told}; " if told else ""


def near_types(reader: Reader, written: Sequence[str]) -> str:
    """Which instance types of the region may have been meant: `did you mean ...?; `, or nothing.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypeOfferings.html
    """
    asked = ("ec2", "DescribeInstanceTypeOfferings", "InstanceTypeOfferings")
    offered = _read(lambda: list(reader.pages(*asked, LocationType="region")))
    told = did_you_mean(written, [offering["InstanceType"] for offering in offered or ()])
    return f"{told}; " if told else ""


def _parameters(reader: Reader, path: str) -> Iterator[str]:
    """The names of the parameters of a path, ten a page, up to a hundred."""
    params = {"Path": path}
    for _ in range(MAX_PAGES):
        answer = reader.call("ssm", "GetParametersByPath", **params)
        yield from (parameter["Name"] for parameter in answer["Parameters"])
        if not answer.get("NextToken"):
            return
        params = {"Path": path, "NextToken": answer["NextToken"]}


def _read(read: Callable[[], Found]) -> Found | None:
    try:
        return read()
    except AwsError:
        return None


def _names(there: Callable[[], Iterable[str]]) -> list[str] | None:
    found = _read(there)
    return None if found is None else sorted(found)


def _instead(written: Sequence[str], names: list[str] | None) -> Iterator[str]:
    if names is None:
        return
    told = did_you_mean(written, names)
    if told:
        yield told
    if len(names) > 1 or not told:
        yield f"there are {_some(names)}" if names else "there is none"


def _near(word: str, names: Sequence[str]) -> list[str]:
    """The names that this is a part of, in any case, its beginning first; then those spelt alike."""
    lower = {name.lower(): name for name in names}
    longer = [name for name in lower if len(word) > 2 and word.lower() in name]
    longer.sort(key=lambda name: (not name.startswith(word.lower()), len(name), name))
    close = get_close_matches(word.lower(), lower, MAX_SUGGESTED, 0.8)
    return [lower[name] for name in dict.fromkeys((*longer, *close))]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more
