"""Security groups: which traffic reaches instances and leaves them. Rules are exclusive, and go by their ids.

What only a plan needs is imported by a plan only: reading a spec takes less time than importing the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from provisioner.denial import in_short
from provisioner.errors import AwsError
from provisioner.kinds import service_rules
from provisioner.kinds.base import Entry, Kind, Path, Reader, World
from provisioner.kinds.keep import is_kept
from provisioner.kinds.ownership import Foreign, foreign_text
from provisioner.kinds.security_group.call_rules import RULES
from provisioner.kinds.security_group.observed import ObservedGroup, observe_groups
from provisioner.kinds.security_group.rules import Rule, in_words
from provisioner.kinds.security_group.spec import KIND, SECTION, SecurityGroup, parse_group
from provisioner.model import Address, Environment, Findings
from provisioner.retry import is_withheld, merged
from provisioner.rights import Place, Purpose, Statement

# Where it is told that groups could not be read; no key in a spec can look like it.
UNREAD = "(not read)"


class SecurityGroupKind(Kind[SecurityGroup, ObservedGroup]):
    name = KIND
    section = SECTION
    is_of_iam = False
    call_rules = merged((service_rules.INSTANCES, RULES))

    def parse(self, key: str, raw: Mapping[str, Any], entry: Entry) -> SecurityGroup:
        return parse_group(key, raw, entry)

    def check(self, entries: Mapping[Address, SecurityGroup]) -> Iterable[tuple[Address, Path, str]]:
        taken: dict[tuple[str, object], Address] = {}
        for address, group in entries.items():
            name = group.name or group.default_name
            # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html: capitals
            # make no difference.
            other = taken.setdefault((name.lower(), group.vpc), address)
            if other != address:
                yield address, ("name",), f"has the same name in the same VPC as {other}: {name}"

    def observe(
        self, reader: Reader, environment: Environment, launching: bool
    ) -> Mapping[Address, ObservedGroup]:
        try:
            return observe_groups(reader, environment)
        except AwsError as error:
            if environment.of(SecurityGroup) or not is_withheld(error):
                raise
            text = f"whether security groups are left was not read: {in_short(error)}"
            return {Address(self.name, UNREAD): ObservedGroup(unread=text)}

    def observe_details(self, reader: Reader, world: World) -> Mapping[Address, ObservedGroup]:
        from provisioner.kinds.security_group.details import observe_details

        return observe_details(reader, world)

    def compare(
        self, address: Address, desired: SecurityGroup | None, observed: ObservedGroup | None, world: World
    ) -> Findings:
        from provisioner.kinds.security_group.compare import compare_group

        return compare_group(address, desired, observed or ObservedGroup(), world)

    def permissions(self, environment: Environment, place: Place, purpose: Purpose) -> Iterable[Statement]:
        from provisioner.kinds.security_group.permissions import group_permissions

        return group_permissions(tuple(environment.of(SecurityGroup).values()), place, purpose)

    def describe(
        self, desired: SecurityGroup, observed: ObservedGroup | None, world: World
    ) -> Mapping[str, Any]:
        return {
            "name": desired.name or (observed.group.name if observed and observed.group else None),
            "description": desired.description,
            "vpc": desired.vpc.id or ({"tags": desired.vpc.tags} if desired.vpc.tags else None),
            "ingress": tuple(_as_data(rule) for rule in desired.ingress),
            "egress": None if desired.egress is None else tuple(_as_data(rule) for rule in desired.egress),
            "tags": desired.tags,
            "keep": desired.keep,
        }

    def status(
        self, address: Address, desired: SecurityGroup | None, observed: ObservedGroup | None, world: World
    ) -> Mapping[str, Any]:
        group = observed.group if observed else None
        if observed and observed.unread:
            return {"state": "not read", "note": observed.unread}
        if observed and observed.foreign:
            foreign = [Foreign(each.id, each.name) for each in observed.foreign]
            return {"state": foreign_text(KIND, foreign)}
        if group is None:
            return {"state": "absent"}
        from provisioner.kinds.security_group.compare import names

        known = names(world)
        return {
            "state": "there",
            "name": group.name,
            "id": group.id,
            "vpc": group.vpc,
            "kept": is_kept(group.tags),
            "ingress": [in_words(rule, known) for rule in group.rules if not rule.is_egress],
            "egress": [in_words(rule, known) for rule in group.rules if rule.is_egress],
        }


def _as_data(rule: Rule) -> dict[str, Any]:
    """A rule of the spec as data, with the one thing that says where."""
    protocol, first, last, peer = rule.traffic
    names = {"cidr4": "cidr", "cidr6": "cidr", "my_ip": "cidr", "key": "group", "group": "group_id"}
    return {
        "protocol": protocol,
        "from_port": first,
        "to_port": last,
        names.get(peer.sort, peer.sort): peer.value,
        "description": rule.description,
    }
