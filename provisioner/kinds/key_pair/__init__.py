"""Key pairs: the public halves of SSH keys, which EC2 puts on instances at their first boot."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from provisioner.denial import in_short
from provisioner.errors import AwsError
from provisioner.kinds import service_rules
from provisioner.kinds.base import Entry, Kind, Path, Reader, World
from provisioner.kinds.keep import is_kept
from provisioner.kinds.key_pair.compare import compare_key_pair, told
from provisioner.kinds.key_pair.observed import ObservedKeyPair, by_address, find_key_pairs
from provisioner.kinds.key_pair.public_key import MAKE_ONE
from provisioner.kinds.key_pair.spec import KIND, KeyPair, parse_key_pair
from provisioner.kinds.key_pair.steps import DUPLICATE, IMPORT, NOT_FOUND
from provisioner.kinds.ownership import Foreign, foreign_text, whose
from provisioner.model import Address, Environment, Findings, Replan
from provisioner.retry import CallRules, RetryRule, is_withheld, merged
from provisioner.rights import Place, Purpose, Statement

# Where it is told that key pairs could not be read; no key in a spec can look like it.
UNREAD = "(not read)"


def _is_about_one_of(error: AwsError, made: Collection[str]) -> bool:
    return error.code in (NOT_FOUND, "InvalidID") and any(f"'{name}'" in error.text for name in made)


RULES = CallRules(
    retry=(RetryRule("key pair imported just now, not visible yet", 120, _is_about_one_of),),
    replan=(
        (Replan.SOON, lambda error: error.code == NOT_FOUND),
        # EC2 has it, and goes on to be asked until it shows whose it is.
        (Replan.PATIENTLY, lambda error: error.code == DUPLICATE),
    ),
    hints={
        (IMPORT, "InvalidKey.Format"): lambda _: f"EC2 takes no such key; {MAKE_ONE}",
        (IMPORT, DUPLICATE): lambda _: (
            "EC2 has it by now, and has not shown it so far: apply again in a few minutes"
        ),
    },
    made={IMPORT: lambda params, answer: [params["KeyName"], *filter(None, [answer.get("KeyPairId")])]},
)


class KeyPairKind(Kind[KeyPair, ObservedKeyPair]):
    name = KIND
    section = "key_pairs"
    is_of_iam = False
    call_rules = merged((service_rules.INSTANCES, RULES))

    def parse(self, key: str, raw: Mapping[str, Any], entry: Entry) -> KeyPair:
        return parse_key_pair(key, raw, entry)

    def check(self, entries: Mapping[Address, KeyPair]) -> Iterable[tuple[Address, Path, str]]:
        """Names are unique in a region, by case."""
        first: dict[str, Address] = {}
        for address, key_pair in entries.items():
            other = first.setdefault(key_pair.name, address)
            if other != address:
                yield address, ("name",), f"has the same name in AWS as {other}: {key_pair.name}"

    def observe(
        self, reader: Reader, environment: Environment, launching: bool
    ) -> Mapping[Address, ObservedKeyPair]:
        desired = environment.of(KeyPair)
        wanted = [key_pair.name for key_pair in desired.values()] if launching else []
        try:
            found = find_key_pairs(reader, environment.name, wanted)
        except AwsError as error:
            if desired or not is_withheld(error):
                raise
            text = f"whether key pairs are left was not read: {in_short(error)}"
            return {Address(self.name, UNREAD): ObservedKeyPair("", "", {}, unread=text)}
        return by_address(found, desired, environment.name)

    def observe_details(self, reader: Reader, world: World) -> Mapping[Address, ObservedKeyPair]:
        return world.observed_of(ObservedKeyPair)

    def compare(
        self, address: Address, desired: KeyPair | None, observed: ObservedKeyPair | None, world: World
    ) -> Findings:
        return compare_key_pair(address, desired, observed, world)

    def permissions(self, environment: Environment, place: Place, purpose: Purpose) -> Iterable[Statement]:
        from provisioner.kinds.key_pair.permissions import key_pair_permissions

        return key_pair_permissions(tuple(environment.of(KeyPair).values()), place, purpose)

    def describe(self, desired: KeyPair, observed: ObservedKeyPair | None, world: World) -> Mapping[str, Any]:
        return {
            "name": desired.name,
            "public_key": str(desired.public_key),
            "file": desired.file,
            "ssh": desired.ssh,
            "tags": desired.tags,
            "keep": desired.keep,
        }

    def status(
        self, address: Address, desired: KeyPair | None, observed: ObservedKeyPair | None, world: World
    ) -> Mapping[str, Any]:
        if observed is None:
            return {"state": "absent"}
        if observed.unread:
            return {"state": "not read", "note": observed.unread}
        if observed.foreign:
            return {"state": foreign_text(KIND, [Foreign(each.id, each.name) for each in observed.foreign])}
        if not observed.is_of(world.environment.name):
            why = whose(KIND, observed.tags, world.environment.name)
            return {"state": "absent", "note": f"{observed.id} has the name {observed.name}, and {why}"}
        return {
            "state": "there",
            "name": observed.name,
            "id": observed.id,
            "kept": is_kept(observed.tags),
            "public_key": told(observed.public_key) if observed.public_key else None,
        }
