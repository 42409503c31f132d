"""Which of several machines does which environments.

A shard is a function of the list of environments and of nothing else, so that all machines, given the same
list, agree without talking to each other. The environments stand in a row, sorted by login, account and
region, each as long as it is large; the row is cut into equal shares, and a group is of the share that its
middle is in. So

- each environment is in exactly one shard,
- the environments of one account and region stay together, as do their reads, unless they are more than a
  share: then they are divided, each environment by its own middle,
- a shard has at most a share and the largest group, or the largest environment of a group that is divided,
- an environment more or less moves the cuts by at most its own size, so few others change their shard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from provisioner.canonical import digest
from provisioner.errors import UsageError

# Of the digest of a list of environments, in hexadecimal.
DIGEST_LENGTH = 40


@dataclass(frozen=True)
class Sized:
    """An environment as far as shards go: the group that it is read with (login, account, region), a name
    that no other of the group has, and how large it is, at least 1."""

    group: tuple[str, ...]
    name: str
    size: int


@dataclass(frozen=True)
class Shards:
    """Which part of all environments a report is of: these of `count` shards, from 1. `environments` is how
    many there are in all, and `digest` is of what they are, so that it is known which shards go together."""

    numbers: tuple[int, ...]
    count: int
    environments: int
    digest: str


@dataclass(frozen=True)
class Shard:
    """Share `number` of `count`, from 1, written `3/10`."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @staticmethod
    def parse(text: str) -> Shard:
        """Raises UsageError for what is no share of anything."""
        number, slash, count = text.partition("/")
        if slash and _is_number(number) and _is_number(count) and 1 <= int(number) <= int(count):
            return Shard(int(number), int(count))
        raise UsageError(
            f"{text!r} is no shard", "write NUMBER/COUNT, from 1/COUNT to COUNT/COUNT, such as 3/10"
        )

    def of(self, environments: Sequence[Sized]) -> Shards:
        """What a report says of a shard of these environments."""
        told = sorted([*environment.group, environment.name] for environment in environments)
        return Shards((self.number,), self.count, len(environments), digest(told)[:DIGEST_LENGTH])


def shard_numbers(environments: Sequence[Sized], count: int) -> tuple[int, ...]:
    """The number of the shard, from 1 to `count`, that each of the environments is in, in their order."""
    total = sum(environment.size for environment in environments)
    row = sorted(
        range(len(environments)), key=lambda index: (environments[index].group, environments[index].name)
    )
    numbers = [0] * len(environments)
    before = 0
    for _, members in groupby(row, key=lambda index: environments[index].group):
        group = list(members)
        size = sum(environments[index].size for index in group)
        is_more_than_a_share = size * count > total
        for item in [[index] for index in group] if is_more_than_a_share else [group]:
            length = sum(environments[index].size for index in item)
            # In whole numbers, so that no machine rounds otherwise than another.
            number = (2 * before + length) * count // (2 * total) + 1
            for index in item:
                numbers[index] = number
            before += length
    return tuple(numbers)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10
