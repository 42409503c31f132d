"""Reading instance profiles from IAM: a few of them one by one, and many with lists.

ListInstanceProfiles shows everything but tags:
https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListInstanceProfiles.html. Where AWS's index of tags
may be asked, it spares reading those of which it shows that nothing is to be done; see docs/decisions/0024.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from provisioner.errors import AwsError
from provisioner.kinds.base import Reader, both
from provisioner.kinds.instance_profile.observed import ObservedProfile, as_profile
from provisioner.kinds.instance_profile.spec import InstanceProfile
from provisioner.kinds.instance_profile.tag_index import is_settled, lookup_of_tags
from provisioner.kinds.shared_reads import Listing
from provisioner.kinds.tags import text
from provisioner.model import Address, Environment, TagIndex
from provisioner.naming import iam_path

# So many are read one by one, in hardly more time than one list takes.
A_FEW = 4
# The index is waited for as long as the list takes, and this many times more.
TIMES_THE_LIST = 3


def find_profiles(
    reader: Reader, environment: Environment, desired: Mapping[Address, InstanceProfile]
) -> list[ObservedProfile]:
    """All instance profiles under the environment's path, and whoever has the names that the spec wants."""
    if len(desired) > A_FEW or (desired and environment.tag_index is TagIndex.ALWAYS):
        return _find_many(reader, environment, desired)
    path = iam_path(environment.name)
    listed, named = both(
        reader,
        lambda: list(reader.pages("iam", "ListInstanceProfiles", "InstanceProfiles", PathPrefix=path)),
        lambda: _read(reader, [profile.name for profile in desired.values()]),
    )
    there = {profile.name for profile in named}
    return [*named, *_read(reader, [name for name in map(_name, listed) if name not in there])]


def _find_many(
    reader: Reader, environment: Environment, desired: Mapping[Address, InstanceProfile]
) -> list[ObservedProfile]:
    """The same, of a list of all profiles that the account has: what is not in it has none of the names."""
    lookup = lookup_of_tags(reader, environment)
    began = time.monotonic()
    listed = Listing.shared(reader, "ListInstanceProfiles", "InstanceProfiles", _name, _path, PathPrefix="/")
    took = time.monotonic() - began
    wanted = {profile.name.lower(): at for at, profile in desired.items()}
    relevant = listed.of(environment.name, wanted)
    settled: list[ObservedProfile] = []
    # What is there may be none of these, and then nobody needs to wait.
    tags = lookup.tags(TIMES_THE_LIST * took) if relevant else {}
    for profile in map(as_profile, relevant):
        at = wanted.get(profile.name.lower())
        if at is not None and profile.arn in tags:
            found = replace(profile, tags=tags[profile.arn])
            if is_settled(at, found, environment):
                settled.append(found)
    known = {profile.name for profile in settled}
    return [*settled, *_read(reader, [name for name in map(_name, relevant) if name not in known])]


def _name(profile: Mapping[str, Any]) -> str:
    # One without a name would pass for none.
    return text(profile, "InstanceProfileName")


def _path(profile: Mapping[str, Any]) -> str:
    return text(profile, "Path")


def _read(reader: Reader, names: Iterable[str]) -> list[ObservedProfile]:
    """Those of these names that exist, each by a call of its own."""
    found = reader.parallel(*(partial(_read_one, reader, name) for name in names))
    return [profile for profile in found if profile]


def _read_one(reader: Reader, name: str) -> ObservedProfile | None:
    try:
        answer = reader.call("iam", "GetInstanceProfile", InstanceProfileName=name)
    except AwsError as error:
        if error.code == "NoSuchEntity":
            return None
        raise
    return as_profile(answer["InstanceProfile"])
