"""What roles and instance profiles have in common: names, ownership, and the calls that change their tags."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar

from provisioner.errors import ChangedMeanwhile
from provisioner.execution import ExecutionContext, run_step
from provisioner.kinds.base import Entry, Path
from provisioner.kinds.keep import is_kept, keep_tags
from provisioner.kinds.tags import as_tags, tag_list
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Address, Call, CallCount, Environment, FieldChange, Findings, Refusal
from provisioner.naming import (
    ENVIRONMENT_TAG,
    KEEP_TAG,
    REGION_TAG,
    default_name,
    iam_path,
    key_of,
    may_be_region,
    ownership_tags,
)


class Standing(Enum):
    """Whose a role or an instance profile is, by its path and its tags."""

    OURS = "ours"
    ELSEWHERE = "ours in another region"
    UNTAGGED = "under our path, without our tag"
    FOREIGN = "somebody else's"


def standing(path: str, tags: Mapping[str, str], environment: Environment) -> Standing:
    """Path and tags must agree; under our path a missing tag can be put back, another's cannot.

    IAM is global and an environment is not, so a tag says which region it is in. What was made before there
    was that tag gets it when it is next applied.
    """
    tagged = tags.get(ENVIRONMENT_TAG)
    if not path.startswith(iam_path(environment.name)) or tagged not in (None, environment.name):
        return Standing.FOREIGN
    region = tags.get(REGION_TAG, "")
    # What is no region was written by somebody else, and is put right like any other tag.
    if region != environment.region and may_be_region(region):
        return Standing.ELSEWHERE
    return Standing.OURS if tagged else Standing.UNTAGGED


def leave_to_others(
    address: Address,
    what: str,
    name: str,
    path: str,
    tags: Mapping[str, str],
    environment: Environment,
    is_wanted: bool,
) -> Findings | None:
    """What to say of a name that is taken: by somebody else, if it `is_wanted`, or in another region.

    None: it is this environment's.
    """
    match standing(path, tags, environment):
        case Standing.FOREIGN:
            refusal = _refuse_foreign(address, what, name, path, tags)
            return Findings(refusals=(refusal,)) if is_wanted else Findings()
        case Standing.ELSEWHERE:
            return Findings(refusals=(_refuse_elsewhere(address, what, name, tags, environment),))
    return None


def _refuse_foreign(address: Address, what: str, name: str, path: str, tags: Mapping[str, str]) -> Refusal:
    """The answer to a name that exists and is not ours."""
    operation = f"Create{what.title().replace(' ', '')}"
    owner = tags.get(ENVIRONMENT_TAG)
    is_elsewhere = owner and path.startswith(iam_path(owner))
    whose = f"environment {owner} has it" if is_elsewhere else "it is not this environment's"
    return Refusal(
        address,
        f"iam {operation}: {what} {name} exists already at path {path}, and {whose}",
        f"choose another name with `name:`, or move the existing {what} out of the way",
        exit_code=1,
    )


def _refuse_elsewhere(
    address: Address, what: str, name: str, tags: Mapping[str, str], environment: Environment
) -> Refusal:
    """The answer to what the same environment has in another region."""
    region = tags[REGION_TAG]
    return Refusal(
        address,
        f"{what} {name} belongs to the environment {environment.name} in {region}, and this spec says "
        f"{environment.region}; what runs in {region} uses it",
        f"an environment is in one region: set `region: {region}`, or give this one another name with "
        "`environment:`",
    )


def why_untagged_is_kept(what: str) -> str:
    """Why something under our path that does not carry our tag is not deleted."""
    return (
        f"the {what} is under this environment's path but lacks the tag {ENVIRONMENT_TAG}; delete it by "
        "hand, or put it into the spec and apply, which puts the tag back"
    )


def parse_tags(raw: Mapping[str, Any], entry: Entry) -> dict[str, str]:
    """The tags of an entry, with the environment's and those of ownership."""
    own = ownership_tags(entry.environment)
    kept = keep_tags(raw.get("keep"))
    return {**entry.tags, **raw.get("tags", {}), **own, REGION_TAG: entry.region, **kept}


def made_at(address: Address, name: str, path: str) -> Iterator[FieldChange]:
    """Name and path of something new, as fields; the path of the environment, all that it has is under."""
    environment = path.split("/")[2]
    yield FieldChange("name", None, name, is_default=name == default_name(environment, address.key))
    if path != iam_path(environment):
        yield FieldChange("path", None, path)


def tag_calls(
    noun: str, name: str, changes: Sequence[FieldChange], fold: bool = False, crowded: bool = False
) -> tuple[Call, ...]:
    """The calls that set and remove tags; the other way round if `crowded`. `noun`: Role or InstanceProfile.

    `fold`: keys that differ only in case are one tag, which setting it replaces and removing it would remove.
    So it is on roles, and not on instance profiles: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
    """
    wanted = {change.path.removeprefix("tags."): change.after for change in changes}
    set_to = {key: value for key, value in wanted.items() if value is not None}
    replaced = {key.lower() for key in set_to} if fold else set()
    removed = sorted(key for key in wanted.keys() - set_to.keys() if key.lower() not in replaced)
    owner = {f"{noun}Name": name}
    calls = []
    if set_to:
        calls.append(Call("iam", f"Tag{noun}", owner | {"Tags": tag_list(set_to)}))
    if removed:
        calls.append(Call("iam", f"Untag{noun}", owner | {"TagKeys": removed}))
    return tuple(reversed(calls) if crowded else calls)


@dataclass(frozen=True)
class IsStillThe:
    """Makes sure, before a name is deleted, that it is what the plan has shown, and not kept by now.

    A name can change hands while a plan waits for approval; the unique id tells one from another:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
    `noun` is IAM's: Role or InstanceProfile.
    """

    noun: str
    name: str
    id: str

    def calls(self) -> Iterable[CallCount]:
        return ()


@run_step.register
def _look_again(step: IsStillThe, context: ExecutionContext) -> None:
    noun = step.noun
    there = context.send(Call("iam", f"Get{noun}", {f"{noun}Name": step.name}))[noun]
    if there[f"{noun}Id"] != step.id:
        raise ChangedMeanwhile(f"{step.name} was deleted and made again by somebody else: left alone")
    if is_kept(as_tags(there.get("Tags"))):
        raise ChangedMeanwhile(f"{step.name} got the tag {KEEP_TAG} meanwhile: left alone")


@dataclass(frozen=True)
class Named:
    """What has a name in IAM, unique among its kind whatever the case."""

    name: str


Found = TypeVar("Found", bound=Named)


def name_in(arn: str) -> str:
    """The name that ends the ARN of a role, a profile or a policy, spelled as IAM keeps it."""
    return arn.rsplit("/", 1)[-1]


def same_names(entries: Mapping[Address, Named]) -> Iterator[tuple[Address, Path, str]]:
    """Entries of one kind that ask for the same name; IAM's names are unique whatever their case."""
    first: dict[str, Address] = {}
    for address, entry in entries.items():
        other = first.setdefault(entry.name.lower(), address)
        if other != address:
            yield address, ("name",), f"has the same name in AWS as {other}: {entry.name}"


def by_address(
    kind: str, found: Iterable[Found], desired: Mapping[Address, Named], environment: str
) -> dict[Address, Found]:
    """What was found, each at the address where the spec has it, or would have had it."""
    wanted = {entry.name.lower(): address for address, entry in desired.items()}
    taken = {address.key for address in desired}
    placed: dict[Address, Found] = {}
    for thing in sorted(found, key=lambda thing: thing.name):
        address = wanted.get(thing.name.lower())
        if address is None:
            address = Address(kind, key_of(thing.name, environment, taken))
            taken.add(address.key)
        placed[address] = thing
    return placed
