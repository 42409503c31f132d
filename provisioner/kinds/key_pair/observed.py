"""Key pairs as EC2 describes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from provisioner.kinds.base import Reader
from provisioner.kinds.instances import MAX_FILTER_VALUES, chunks, literal
from provisioner.kinds.key_pair.public_key import NotAPublicKey, PublicKey, parse_public_key
from provisioner.kinds.key_pair.spec import KIND, KeyPair
from provisioner.kinds.ownership import FOREIGN, is_ours
from provisioner.kinds.tags import as_tags, text
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Address
from provisioner.naming import ENVIRONMENT_TAG, key_of


@dataclass(frozen=True)
class ObservedKeyPair:
    """A key pair that EC2 has. `public_key` is None where EC2 did not show it, or not so that it can be read.

    `unread`: there is nothing but the reason why key pairs could not be read. `foreign` are those that carry
    the environment's tag only, and no name of the spec, all at one address.
    """

    name: str
    id: str
    tags: Mapping[str, str]
    public_key: PublicKey | None = None
    unread: str | None = None
    foreign: tuple[ObservedKeyPair, ...] = ()

    @property
    def uses(self) -> frozenset[Address]:
        return frozenset()

    @property
    def arn(self) -> None:
        """EC2 describes it without one."""

    def is_of(self, environment: str) -> bool:
        """Whether it is the environment's, as its tags say."""
        return is_ours(KIND, self.tags, environment)


def find_key_pairs(reader: Reader, environment: str, wanted: Iterable[str]) -> list[ObservedKeyPair]:
    """All key pairs with the environment's tag, and whoever has the names `wanted`. Raises AwsError.

    A filter is one call that finds nothing without an error; names are asked for only if none of those has
    them: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeKeyPairs.html
    """
    tagged = described(reader.call("ec2", **describing(f"tag:{ENVIRONMENT_TAG}", environment)))
    others = sorted(set(wanted) - {key_pair.name for key_pair in tagged})
    found = [
        key_pair
        for part in chunks(others, MAX_FILTER_VALUES)
        for key_pair in described(reader.call("ec2", **describing("key-name", *part)))
    ]
    ids = {key_pair.id for key_pair in tagged}
    return [*tagged, *(key_pair for key_pair in found if key_pair.id not in ids)]


def describing(name: str, *values: str) -> dict[str, Any]:
    """DescribeKeyPairs with one filter, and with the keys themselves."""
    filters = [{"Name": name, "Values": [literal(value) for value in values]}]
    return {"operation": "DescribeKeyPairs", "Filters": filters, "IncludePublicKey": True}


def described(answer: Mapping[str, Any]) -> list[ObservedKeyPair]:
    """The key pairs of an answer. Raises LookupError and IncompleteAnswer."""
    return [
        ObservedKeyPair(
            text(raw, "KeyName"),
            text(raw, "KeyPairId"),
            as_tags(raw.get("Tags")),
            _shown(raw.get("PublicKey")),
        )
        for raw in answer["KeyPairs"]
    ]


def _shown(public_key: str | None) -> PublicKey | None:
    try:
        return parse_public_key(public_key) if public_key else None
    except NotAPublicKey:
        return None


def by_address(
    found: Iterable[ObservedKeyPair], desired: Mapping[Address, KeyPair], environment: str
) -> dict[Address, ObservedKeyPair]:
    """What was found, each at the address where the spec has it, or would have had it."""
    wanted = {key_pair.name: address for address, key_pair in desired.items()}
    taken = {address.key for address in desired}
    placed: dict[Address, ObservedKeyPair] = {}
    foreign = []
    for key_pair in sorted(found, key=lambda key_pair: key_pair.name):
        address = wanted.get(key_pair.name)
        if address is None and not key_pair.is_of(environment):
            foreign.append(key_pair)
            continue
        if address is None:
            address = Address(KIND, key_of(key_pair.name, environment, taken))
            taken.add(address.key)
        placed[address] = key_pair
    if foreign:
        placed[Address(KIND, FOREIGN)] = ObservedKeyPair("", "", {}, foreign=tuple(foreign))
    return placed
