"""The rules that a group is to have, with what only AWS knows, and what differs from those that it has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from provisioner.kinds.base import World
from provisioner.kinds.security_group.observed import FoundGroup, ObservedGroup, id_at
from provisioner.kinds.security_group.rules import ALL_OUT, Peer, Rule, block, group_peer
from provisioner.kinds.security_group.spec import KIND, MY_IP, SecurityGroup, is_key
from provisioner.model import Address, Output


class Differences(NamedTuple):
    """The rules that a group lacks, has beyond the spec, and has with another description (as wanted)."""

    missing: tuple[Rule, ...] = ()
    surplus: tuple[Rule, ...] = ()
    described: tuple[Rule, ...] = ()

    def of(self, is_egress: bool) -> Differences:
        """Those of one direction."""
        return Differences(*(tuple(rule for rule in some if rule.is_egress is is_egress) for some in self))


def wanted_rules(desired: SecurityGroup, observed: ObservedGroup, world: World) -> tuple[Rule, ...]:
    """The rules of the spec with the ids of its groups and the address of whoever runs this, each once."""
    rules: dict[object, Rule] = {}
    for rule in _resolved(desired, observed, world):
        rules.setdefault((rule.is_egress, rule.traffic), rule)
    return tuple(rules.values())


def needs_my_ip(desired: SecurityGroup, observed: ObservedGroup) -> bool:
    """Whether it takes the address of whoever runs this: for a new rule, or to refresh one."""
    mine = [rule for rule in desired.rules if rule.traffic.peer.sort == MY_IP]
    return any(desired.refresh_my_ip or _kept_peer(rule, observed) is None for rule in mine)


def differences(desired: SecurityGroup, group: FoundGroup | None, wanted: Iterable[Rule]) -> Differences:
    """What differs. Where the spec says no `egress`, EC2's default is right, with or without IPv6."""
    want = {(rule.is_egress, rule.traffic): rule for rule in wanted}
    have = {(rule.is_egress, rule.traffic): rule for rule in (group.rules if group else ALL_OUT[:1])}
    either = set()
    if desired.egress is None:
        first, second = ((rule.is_egress, rule.traffic) for rule in ALL_OUT)
        want[first] = ALL_OUT[0]
        either = {second}
    return Differences(
        tuple(rule for key, rule in want.items() if key not in have),
        tuple(rule for key, rule in have.items() if key not in want and key not in either),
        tuple(
            rule for key, rule in want.items() if key in have and have[key].description != rule.description
        ),
    )


def leaving_ids(world: World) -> set[str]:
    """The ids of the groups of the environment that will be deleted."""
    return {
        observed.group.id
        for at, observed in world.observed_of(ObservedGroup).items()
        if observed.group and world.desired(at) is None and not observed.users
    }


def names_new_group(rule: Rule) -> bool:
    """Whether a rule names a group that is still to be made."""
    return isinstance(rule.traffic.peer.value, Output)


def _resolved(desired: SecurityGroup, observed: ObservedGroup, world: World) -> Iterator[Rule]:
    for rule in desired.rules:
        peer = rule.traffic.peer
        if is_key(rule):
            yield rule.to(group_peer(id_at(Address(KIND, str(peer.value)), world)))
        elif peer.sort == MY_IP:
            kept = None if desired.refresh_my_ip else _kept_peer(rule, observed)
            yield rule.to(kept or (block(observed.my_ip) if observed.my_ip else peer))
        else:
            yield rule


def _kept_peer(rule: Rule, observed: ObservedGroup) -> Peer | None:
    """The address that such a rule was made with, which stays until it is refreshed.

    Whoever may add rules can mark one, so only one address is one that it was made with, never a block.
    """
    made = [
        found.traffic.peer
        for found in (observed.group.rules if observed.group else ())
        if found.is_my_ip
        and found.is_egress is rule.is_egress
        and found.traffic[:3] == rule.traffic[:3]
        and found.traffic.peer.is_one_address
    ]
    return min(made, default=None, key=str)
