"""Tags of whatever has some: as AWS lists them, as a plan shows them, and how many there can be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from provisioner.errors import IncompleteAnswer
from provisioner.model import Address, FieldChange, Refusal
from provisioner.naming import PREFIX, compared_tags, is_ignored

# https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
MAX_TAGS = 50


def as_tags(listed: Iterable[Mapping[str, Any]] | None) -> dict[str, str]:
    """AWS's list of Key and Value as a mapping."""
    return {text(tag, "Key"): tag["Value"] for tag in listed or ()}


def text(answer: Mapping[str, Any], name: str) -> str:
    """A text that AWS always gives, so that nothing can be concluded without it.

    Raises LookupError and IncompleteAnswer.
    """
    value = answer[name]
    if not isinstance(value, str) or not value:
        raise IncompleteAnswer(f"{name} is {value!r:.100}")
    return value


def tags_in_words(tags: Mapping[str, str]) -> str:
    """Tags as people write them: `team=data, stage=dev`."""
    return ", ".join(f"{key}={value}" for key, value in tags.items())


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """A mapping as AWS's list of Key and Value, in a fixed order."""
    return [{"Key": key, "Value": tags[key]} for key in sorted(tags)]


def made_tags(tags: Mapping[str, str]) -> tuple[FieldChange, ...]:
    """The tags of something new that the spec gives it, as a field. Our own, all that we make has."""
    given = {key: value for key, value in tags.items() if not key.startswith(PREFIX)}
    return (FieldChange("tags", None, given),) if given else ()


def tag_changes(
    desired: Mapping[str, str], observed: Mapping[str, str], ignored: Sequence[str]
) -> tuple[FieldChange, ...]:
    """One field change a tag that differs, ignored ones left out."""
    observed = compared_tags(observed, desired, ignored)
    return tuple(
        FieldChange(f"tags.{key}", observed.get(key), desired.get(key))
        for key in sorted(desired.keys() | observed.keys())
        if observed.get(key) != desired.get(key)
    )


def too_many_tags(
    address: Address, desired: Mapping[str, str], observed: Mapping[str, str], ignored: Sequence[str]
) -> Iterator[Refusal]:
    """Why IAM would refuse the tags of a thing: with those of others that stay, there are more than it takes.

    AWS's own do not count. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    """
    stay = staying_tags(observed, desired, ignored)
    number = len({key.lower() for key in (*desired, *stay)})
    if number > MAX_TAGS:
        message = f"{number} tags, {len(stay)} of them of others and ignored; AWS takes {MAX_TAGS}"
        yield Refusal(
            address, message, "take some out of the spec, or remove some of the others", exit_code=1
        )


def staying_tags(
    observed: Mapping[str, str], desired: Mapping[str, str], ignored: Sequence[str]
) -> list[str]:
    """The keys of tags that a thing has, that are not in the spec and that stay, but for AWS's own."""
    return [
        key
        for key in observed
        if key not in desired and is_ignored(key, ignored) and not key.startswith("aws:")
    ]


def is_crowded(desired: Iterable[str], observed: Iterable[str]) -> bool:
    """Whether a thing has no room for its new tags before it has lost its old ones."""
    return len({key for key in (*desired, *observed) if not key.startswith("aws:")}) > MAX_TAGS
