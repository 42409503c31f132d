"""What a plan tells of several things in the same words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from provisioner.kinds.base import World
from provisioner.kinds.fleet.observed import ObservedFleet
from provisioner.kinds.role.spec import Role
from provisioner.model import Address, Environment, Findings, Identity, Note, Observation, Refusal
from provisioner.plan import plan
from tests.support.build import environment

WEB, DB, ROLE = Address("fleet", "web"), Address("fleet", "db"), Address("role", "web")


class Saying:
    """A kind that says of each address what it is told to."""

    def __init__(self, name: str, said: Mapping[Address, Iterable[Refusal | Note]]) -> None:
        self.name = name
        self._said = said

    def compare(self, address: Address, *_: object) -> Findings:
        said = tuple(self._said[address])
        return Findings(
            refusals=tuple(message for message in said if isinstance(message, Refusal)),
            notes=tuple(message for message in said if isinstance(message, Note)),
        )


def told(said: Mapping[Address, Iterable[Refusal | Note]]) -> list[str]:
    kinds: Any = [Saying(name, said) for name in ("role", "fleet")]
    nothing: Environment = environment()
    observed: Any = dict.fromkeys(said, ObservedFleet())
    made = plan(World(nothing, Observation(Identity("123456789012", "aws"), observed)), kinds)
    all_told: list[Refusal | Note] = [*made.refusals, *made.notes]
    return [f"{message.address}: {message.message}" for message in all_told]


def no_key(address: Address, hint: str = "check it", exit_code: int = 1) -> Refusal:
    return Refusal(address, "no key", hint, exit_code)


SAID: dict[str, tuple[dict[Address, list[Refusal | Note]], list[str]]] = {
    "by one": ({WEB: [no_key(WEB)]}, ["fleet/web: no key"]),
    "by two": (
        {WEB: [no_key(WEB)], DB: [no_key(DB)]},
        ["fleet/db: no key (the same for fleet/web)"],
    ),
    "by twelve": (
        {(at := Address("fleet", f"f{number:02d}")): [no_key(at)] for number in range(13)},
        [
            "fleet/f00: no key (the same for "
            + ", ".join(f"fleet/f{n:02d}" for n in range(1, 11))
            + " and 2 more)"
        ],
    ),
    "by two, with another way out": (
        {WEB: [no_key(WEB, "ask")], DB: [no_key(DB)]},
        ["fleet/db: no key", "fleet/web: no key"],
    ),
    "by two kinds": (
        {WEB: [no_key(WEB)], ROLE: [no_key(ROLE)]},
        ["role/web: no key", "fleet/web: no key"],
    ),
    "as a note of two": (
        {WEB: [Note(WEB, "old image")], DB: [Note(DB, "old image")]},
        ["fleet/db: old image (the same for fleet/web)"],
    ),
    "two things by two, in their order": (
        {
            WEB: [no_key(WEB), Refusal(WEB, "no group", "")],
            DB: [Refusal(DB, "no group", ""), no_key(DB)],
        },
        ["fleet/db: no group (the same for fleet/web)", "fleet/db: no key (the same for fleet/web)"],
    ),
}


@pytest.mark.parametrize("case", SAID)
def test_what_is_said_of_several_things_is_said_once(case: str) -> None:
    said, expected = SAID[case]
    assert told(said) == expected


def test_what_is_of_a_type_is_looked_for_once() -> None:
    """Each of hundreds of fleets asks for all of them."""
    spec = environment(roles={"web": {}})
    observed: Any = {WEB: ObservedFleet(), ROLE: object()}
    world = World(spec, Observation(Identity("123456789012", "aws"), observed))
    assert world.observed_of(ObservedFleet) == {WEB: ObservedFleet()}
    assert world.observed_of(ObservedFleet) is world.observed_of(ObservedFleet)
    assert list(spec.of(Role)) == [ROLE]
    assert spec.of(Role) is spec.of(Role)
