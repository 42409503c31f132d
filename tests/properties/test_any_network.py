"""Any groups, keys and ends to any others: whatever others did to them, then they are as the spec says.

On the local AWS, which knows all of these. What the spec asks for is worked out once more, in plain code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.properties.any_spec.both import Account, local_account
from tests.properties.any_spec.environments import Spec, entry, seldom, some, tags
from tests.properties.any_spec.scenario import loaded, run
from tests.support.cloud import Cloud, tags_of, where

GROUPS, KEYS = ("g0", "g1", "g2"), ("k0", "k1")
# The same key with two comments, and another one.
ONE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILg7TAGkmtokT2dHVKZXke5Od3s7kBUSQD0GSAsPC1BP"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAGdNbGyVbqLwfRgNDTB7QpGFgeQ9gKMWrKbBHGOY2Jm"
PUBLIC_KEYS = (ONE, f"{ONE} somebody@home", OTHER)
ANYWHERE = "0.0.0.0/0"

peer = st.sampled_from([{"group": group} for group in GROUPS] + [{"cidr": "10.0.0.0/8"}, {"cidr": ANYWHERE}])
rules = st.lists(
    st.tuples(st.sampled_from([22, 443]), st.sampled_from(["tcp", "udp"]), peer),
    max_size=3,
    unique_by=str,
).map(lambda drawn: [{"port": port, "protocol": protocol, **where} for port, protocol, where in drawn])
group = entry(ingress=rules, egress=seldom(rules, 2), tags=seldom(tags))
key_pair = entry(public_key=st.sampled_from(PUBLIC_KEYS), tags=seldom(tags))
fleet = entry(
    count=st.integers(0, 2),
    image=st.just({"ssm": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"}),
    instance_type=st.just("t3.micro"),
    key_name=seldom(st.sampled_from(KEYS), 2),
    security_groups=some(GROUPS, least=1, most=2),
    expires=seldom(st.sampled_from(["4h", "2099-01-01T00:00:00Z"])),
)


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    """An environment of these kinds, without references to what it has not."""
    groups = {key: draw(group) for key in draw(some(GROUPS))}
    keys = {key: draw(key_pair) for key in draw(some(KEYS))}
    for raw in groups.values():
        for way in ("ingress", "egress"):
            if way in raw:
                raw[way] = [rule for rule in raw[way] if rule.get("group", "g0") in {*groups, *_none(rule)}]
    spec: Spec = {"environment": "any", "region": "us-east-1"}
    spec |= {"expires": "8h"} if draw(st.booleans()) else {}
    spec |= {"security_groups": groups} if groups else {}
    spec |= {"key_pairs": keys} if keys else {}
    one = draw(fleet)
    if one.get("key_name") not in (None, *keys):
        del one["key_name"]
    # Without a line, members would stay in the groups that they are in.
    one["security_groups"] = [key for key in one["security_groups"] if key in groups] or ["default"]
    return spec | {"fleets": {"f0": one}}


def _none(rule: Spec) -> tuple[str, ...]:
    """What stands for a group where a rule names none."""
    return () if "group" in rule else ("g0",)


class World:
    """An account with the environment in it, and somebody who changes things by hand."""

    def __init__(self, cloud: Cloud) -> None:
        self.ec2 = cloud.ec2
        self.cloud = cloud
        self.account: Account = local_account(cloud)
        self.foreign = self.of_others()

    def groups(self) -> dict[str, dict[str, Any]]:
        found = self.ec2.describe_security_groups()["SecurityGroups"]
        return {one["GroupName"]: one for one in found}

    def is_ours(self, thing: dict[str, Any]) -> bool:
        return tags_of(thing).get("provisioner:environment") == "any"

    def keys(self) -> dict[str, dict[str, Any]]:
        found = self.ec2.describe_key_pairs(IncludePublicKey=True)["KeyPairs"]
        return {one["KeyName"]: one for one in found}

    def of_others(self) -> tuple[dict[str, Any], dict[str, Any]]:
        groups = {name: one for name, one in self.groups().items() if not self.is_ours(one)}
        return groups, {name: one for name, one in self.keys().items() if not self.is_ours(one)}

    def rules(self) -> dict[str, set[tuple[Any, ...]]]:
        """What each group lets through: direction, protocol, port, and whom."""
        ours = {one["GroupId"]: name for name, one in self.groups().items() if self.is_ours(one)}
        found: dict[str, set[tuple[Any, ...]]] = {name: set() for name in ours.values()}
        for rule in self.ec2.describe_security_group_rules()["SecurityGroupRules"]:
            if rule["GroupId"] in ours:
                named = rule.get("ReferencedGroupInfo", {}).get("GroupId")
                whom = ours.get(named, named) if named else rule.get("CidrIpv4")
                told = (rule["IsEgress"], rule["IpProtocol"], rule["FromPort"], rule["ToPort"], whom)
                found[ours[rule["GroupId"]]].add(told)
        return found

    def disturb(self, what: str, number: int) -> None:
        """Somebody does something to one of what there is."""
        ours = sorted(one["GroupId"] for one in self.groups().values() if self.is_ours(one))
        keys = sorted(one["KeyPairId"] for one in self.keys().values() if self.is_ours(one))
        chosen = (keys if "key" in what else ours)[number % 3 :][:1]
        if not chosen:
            return
        match what:
            case "a rule is added":
                added = {"IpProtocol": "tcp", "FromPort": 8000 + number, "ToPort": 9000}
                permission = {**added, "IpRanges": [{"CidrIp": ANYWHERE}]}
                self.ec2.authorize_security_group_ingress(GroupId=chosen[0], IpPermissions=[permission])
            case "rules are removed":
                found = self.ec2.describe_security_group_rules(Filters=where("group-id", *chosen))
                ids = [rule["SecurityGroupRuleId"] for rule in found["SecurityGroupRules"]]
                inward = [rule for rule in found["SecurityGroupRules"] if not rule["IsEgress"]]
                if inward and ids:
                    self.ec2.revoke_security_group_ingress(
                        GroupId=chosen[0], SecurityGroupRuleIds=[inward[0]["SecurityGroupRuleId"]]
                    )
            case "a group is labelled" | "a key is labelled":
                self.ec2.create_tags(Resources=chosen, Tags=[{"Key": "team", "Value": f"by hand {number}"}])
            case "a key is deleted":
                self.ec2.delete_key_pair(KeyPairId=chosen[0])
            case "a key's owner is taken off":
                self.ec2.create_tags(Resources=chosen, Tags=[{"Key": "Owner", "Value": "me"}])

    def runs(self, spec: Spec, destroying: bool = False) -> None:
        """Applies or destroys; then a plan is empty."""
        environment = loaded(spec)
        ran = run(environment, self.account.execute, self.account.time, destroying)
        assert ran.plan.refusals == ()
        assert ran.carried is not None
        assert ran.carried.obstacle is None
        failed = [outcome for outcome in ran.carried.outcomes if outcome.result.value != "done"]
        assert not failed
        again = run(environment, self.account.execute, self.account.time, destroying)
        assert [(str(change.address), change.reason) for change in again.plan.changes] == []
        self.is_as(spec if not destroying else {})

    def is_as(self, spec: Spec) -> None:
        """Asserts that there is exactly what the spec says, and of others what there was."""
        assert self.rules() == {
            f"any-{key}": {*_rules(raw, "ingress"), *_rules(raw, "egress")}
            for key, raw in spec.get("security_groups", {}).items()
        }
        ours = {name: one["PublicKey"].split()[1] for name, one in self.keys().items() if self.is_ours(one)}
        assert ours == {
            f"any-{key}": raw["public_key"].split()[1] for key, raw in spec.get("key_pairs", {}).items()
        }
        things = [*self.groups().values(), *self.keys().values()]
        for thing in filter(self.is_ours, things):
            name = (thing.get("GroupName") or thing["KeyName"]).removeprefix("any-")
            section = "security_groups" if "GroupName" in thing else "key_pairs"
            plain = {key: value for key, value in tags_of(thing).items() if ":" not in key and key != "Name"}
            assert plain == spec[section][name].get("tags", {})
        members = self.cloud.live("any")
        assert len(members) == spec.get("fleets", {}).get("f0", {}).get("count", 0)
        named = spec.get("fleets", {}).get("f0", {}).get("security_groups", ())
        for member in members:
            has = {one["GroupName"] for one in member["SecurityGroups"]}
            assert has == {key if key == "default" else f"any-{key}" for key in named}
        says = spec.get("fleets", {}).get("f0", {}).get("expires") or spec.get("expires")
        ends = {tags_of(member).get("provisioner:expires") for member in members}
        assert len(ends) <= 1
        assert None not in ends if says else ends <= {None}
        assert self.of_others() == self.foreign


def _rules(raw: Spec, way: str) -> set[tuple[Any, ...]]:
    """What a group of the spec lets through in one direction."""
    if way == "egress" and "egress" not in raw:
        return {(True, "-1", -1, -1, ANYWHERE)}
    return {
        (
            way == "egress",
            rule["protocol"],
            rule["port"],
            rule["port"],
            f"any-{rule['group']}" if "group" in rule else rule["cidr"],
        )
        for rule in raw.get(way, ())
    }


EXTERNAL_CHANGES = (
    "a rule is added",
    "rules are removed",
    "a group is labelled",
    "a key is labelled",
    "a key is deleted",
    "a key's owner is taken off",
)
external_changes = st.lists(
    st.tuples(st.sampled_from(EXTERNAL_CHANGES), st.integers(0, 5)), max_size=4, unique=True
)
at_leisure = settings(
    deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)


def play(aws: Cloud, first: Spec, done: Sequence[tuple[str, int]], second: Spec) -> None:
    world = World(aws)
    world.runs(first)
    for what, number in done:
        world.disturb(what, number)
    world.runs(second)
    world.runs(second, destroying=True)


@given(specs(), external_changes, specs())
@settings(at_leisure, max_examples=1, derandomize=True)
def test_any_network_to_any_network(
    aws: Cloud, first: Spec, done: Sequence[tuple[str, int]], second: Spec
) -> None:
    play(aws, first, done, second)


@pytest.mark.long
@pytest.mark.parametrize("start", range(2))
def test_two_hundred_networks(aws: Cloud, start: int) -> None:
    @given(specs(), external_changes, specs())
    @settings(at_leisure, max_examples=100)
    def many(first: Spec, done: Sequence[tuple[str, int]], second: Spec) -> None:
        play(aws, first, done, second)

    seed(start)(many)()
