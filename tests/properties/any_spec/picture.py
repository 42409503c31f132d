"""Everything there is at one moment, and whose it is, in plain code that shares nothing with the program."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.properties.any_spec.environments import ENVIRONMENT, SECTIONS, Spec, name_of
from tests.properties.any_spec.fake_aws import FakeAws
from tests.properties.any_spec.fake_iam import Profile, Role
from tests.properties.any_spec.fake_parts import ARN, Machine

PATH = f"/provisioner/{ENVIRONMENT}/"
OWNER = "provisioner:environment"
FLEET = "provisioner:fleet"
MARK = "provisioner:attached"
SWAPPED = "provisioner:swapped"
KEEP = "provisioner:keep"
# What the program notes on members for itself.
NOTES = ("provisioner:launch", "provisioner:asked", "provisioner:index")


@dataclass(frozen=True)
class Picture:
    """Everything there is at one moment."""

    roles: Mapping[str, Role]
    profiles: Mapping[str, Profile]
    machines: Mapping[str, Machine]

    @property
    def live(self) -> dict[str, Machine]:
        return {identifier: machine for identifier, machine in self.machines.items() if machine.is_live}

    def members(self, fleet: str) -> dict[str, Machine]:
        return {identifier: one for identifier, one in self.live.items() if fleet_of(one) == fleet}

    def strangers(self) -> dict[str, Machine]:
        """What lives and is not the environment's, whatever its tags say."""
        return {identifier: one for identifier, one in self.live.items() if fleet_of(one) is None}


def picture(aws: FakeAws) -> Picture:
    return copy.deepcopy(Picture(aws.iam.roles, aws.iam.profiles, aws.ec2.machines))


def settled(observed: Picture) -> Picture:
    """The same when every change of state that has begun is over."""
    machines = {}
    for identifier, machine in observed.machines.items():
        machines[identifier] = now = copy.copy(machine)
        now.state, now.next, now.due, now.checked = machine.next or machine.state, "", 0.0, 0.0
        if now.state == "terminated":
            now.profile = now.association = None
    return Picture(observed.roles, observed.profiles, machines)


def fleet_of(machine: Machine) -> str | None:
    """The fleet of the environment that an instance belongs to: that launched it, if nobody took it out."""
    return machine.launched_for if machine.tags.get(OWNER) == ENVIRONMENT else None


def is_ours(thing: Role | Profile) -> bool:
    """Path and tag say so, or the path does and the tag is missing."""
    return thing.path.startswith(PATH) and thing.tags.get(OWNER, ENVIRONMENT) == ENVIRONMENT


def nothing(spec: Spec) -> Spec:
    """The same environment when all of it is to go."""
    return {name: value for name, value in spec.items() if name not in SECTIONS}


def names(spec: Spec, section: str) -> dict[str, str]:
    """The keys of roles or profiles by their names in AWS, in lower case."""
    return {name_of(key, raw).lower(): key for key, raw in spec.get(section, {}).items()}


def check_tags(has: Mapping[str, str], spec: Spec, raw: Spec, more: Mapping[str, str]) -> None:
    """The tags are those of the spec, but for those that it ignores, and what is kept unsaid."""
    ignored = ("aws:*", *spec.get("ignore_tags", ()), *(() if "keep" in raw else (KEEP,)))
    more = {**more, **({KEEP: "yes"} if raw.get("keep") else {})}

    def compared(tags: Mapping[str, str]) -> dict[str, str]:
        return {
            key: value
            for key, value in tags.items()
            if not any(fnmatchcase(key, pattern) for pattern in ignored)
        }

    assert compared(has) == compared({**tags_of(spec, raw), **more})


def tags_of(spec: Spec, raw: Spec) -> dict[str, str]:
    """The tags that an entry and the environment say."""
    return {**spec.get("tags", {}), **raw.get("tags", {})}


def binding(key: str, spec: Spec, after: Picture) -> tuple[str, str]:
    """What an instance with this profile is bound to: the profile that is there now."""
    name = name_of(key, spec["instance_profiles"][key])
    return f"{ARN}instance-profile{PATH}{after.profiles[name.lower()].name}", after.profiles[name.lower()].id
