"""Plans as large and as varied as they get, made by the kinds from worlds that never were."""

from __future__ import annotations

from typing import Any

from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.instances import Instance
from provisioner.model import Action, Address, Change, FieldChange, Observed, Plan
from provisioner.naming import INDEX_TAG
from tests.support.build import (
    FLEET,
    PROFILE,
    ROLE,
    environment,
    fleet_of,
    found_profile,
    member,
    observed_fleet,
    observed_role,
    planned,
)

WIDE = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
ROLE_OF_FLEET: dict[str, Any] = {
    "managed_policies": ["AmazonS3ReadOnlyAccess", "AmazonSSMManagedInstanceCore"],
    "inline_policies": {
        "write-results": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "Store",
                    "Effect": "Allow",
                    "Action": ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"],
                    "Resource": "arn:aws:s3:::crunch-results-example/*",
                },
                {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*"},
            ],
        }
    },
}
FLEET_OF_ROLE: dict[str, Any] = {
    "count": 12,
    "image": "ami-00000000000000001",
    "instance_type": "t3.large",
    "instance_profile": "web",
    "name": "web-{index:02d}",
    "update": {"max_unavailable": 3},
}


def nothing_to_do() -> Plan:
    """An environment that is as its spec says."""
    desired = environment(
        roles={"web": {}},
        instance_profiles={"web": {"role": "web"}},
        fleets={"web": {**FLEET_OF_ROLE, "count": 2}},
    )
    fleet = fleet_of(desired)
    members = [_web(number, fleet, team=None) for number in (1, 2)]
    return planned(desired, {ROLE: observed_role(), PROFILE: found_profile(), FLEET: observed_fleet(members)})


def something_of_everything() -> Plan:
    """Roles, profiles and fleets that are made, changed in waves, replaced in waves, and taken away."""
    desired = environment(
        tags={"team": "data"},
        roles={"web": ROLE_OF_FLEET, "batch": {"managed_policies": ["AdministratorAccess"]}},
        instance_profiles={"web": {"role": "web"}, "batch": {"role": "batch"}},
        fleets={
            "web": FLEET_OF_ROLE,
            "batch": {
                "count": 3,
                "image": "ami-00000000000000001",
                "instance_type": ["t3.micro", "t3a.micro"],
                "instance_profile": "batch",
                "user_data": "#!/bin/sh\necho hello\n",
            },
            "api": {**FLEET_OF_ROLE, "count": 6, "update": {"order": "launch_first"}},
        },
    )
    fleet = fleet_of(desired)
    api = desired.resources[Address("fleet", "api")]
    assert isinstance(api, Fleet)
    observed: dict[Address, Observed] = {
        ROLE: observed_role(inline_policies={"by-hand": WIDE}, managed_policies=frozenset()),
        PROFILE: found_profile(),
        FLEET: observed_fleet([_web(number, fleet, type="t3.micro", team="ops") for number in range(1, 16)]),
        Address("fleet", "api"): observed_fleet(
            [_web(number, api, image="ami-00000000000000009") for number in range(40, 46)]
        ),
        Address("fleet", "batch"): observed_fleet([]),
        Address("fleet", "gone"): observed_fleet([_web(number, fleet) for number in range(20, 27)]),
    }
    return planned(desired, observed)


def _web(number: int, fleet: Fleet, team: str | None = "data", **differing: Any) -> Instance:
    tags = {"Name": f"web-{number:02d}", INDEX_TAG: str(number), "team": team}
    return member(number, fleet, **differing, tags=tags)


def fifty_destroyed() -> Plan:
    """All of an environment with fifty members goes."""
    desired = environment(
        roles={"web": {}},
        instance_profiles={"web": {"role": "web"}},
        fleets={"web": {**FLEET_OF_ROLE, "count": 50}},
    )
    fleet = fleet_of(desired)
    members = [_web(number, fleet) for number in range(1, 51)]
    observed: dict[Address, Observed] = {
        ROLE: observed_role(),
        PROFILE: found_profile(),
        FLEET: observed_fleet(members),
    }
    return planned(desired, observed, destroying=True)


def hundred_changes(members: int = 1000) -> Plan:
    """As many changes as a page has to stay quick with."""
    ids = [f"i-{number:017x}" for number in range(members)]
    size = members // 100
    changes = [
        Change(
            Address("fleet", f"worker-{number:02d}"),
            Action.UPDATE,
            "tags differ",
            (FieldChange("tags.team", "ops", "data"), FieldChange("tags.owner", None, f"owner-{number}")),
            instances=tuple(ids[number * size : (number + 1) * size]),
            size=size,
            unit="instance",
        )
        for number in range(100)
    ]
    return Plan("env", "us-east-1", "123456789012", tuple(changes))
