"""What an environment's deployer has to be allowed, as statements of an IAM policy.

Each kind says which statements its entries need; `provisioner.permissions` puts them together. ARNs and
condition keys are those of the Service Authorization Reference
(https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any

from provisioner.lazy_dataclass import dataclass
from provisioner.naming import ENVIRONMENT_TAG, iam_path

ANY = "*"
ANYTHING = (ANY,)
OWN_RESOURCE = f"aws:ResourceTag/{ENVIRONMENT_TAG}"
OWN_REQUEST = f"aws:RequestTag/{ENVIRONMENT_TAG}"
Conditions = Mapping[str, Mapping[str, Any]]


class Purpose(StrEnum):
    """What somebody does with an environment: to plan is to read only."""

    PLAN = "plan"
    APPLY = "apply"
    DESTROY = "destroy"


@dataclass(frozen=True)
class Statement:
    """Actions that are allowed on resources under conditions; `sid` and `why` say what for.

    Statements with one `sid`, the same resources and conditions are one in the end.
    """

    sid: str
    why: str
    actions: tuple[str, ...]
    resources: tuple[str, ...] = ANYTHING
    conditions: Conditions = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where an environment is, and how ARNs of what is there are written."""

    environment: str
    region: str
    account_id: str
    partition: str

    def ec2(self, type_: str, *names: str) -> tuple[str, ...]:
        """The ARNs of things of EC2; of all of a type where none is named.

        Images and snapshots have no account.
        """
        account = "" if type_ in ("image", "snapshot") else self.account_id
        arn = f"arn:{self.partition}:ec2:{self.region}:{account}:{type_}"
        return tuple(f"{arn}/{name}" for name in dict.fromkeys(names or ANYTHING))

    def iam(self, type_: str, *names: str) -> tuple[str, ...]:
        """The ARNs of things of IAM by paths and names; of all that the environment owns where none is."""
        owned = (f"{iam_path(self.environment)[1:]}*",)
        arn = f"arn:{self.partition}:iam::{self.account_id}:{type_}"
        return tuple(f"{arn}/{name}" for name in dict.fromkeys(names or owned))

    def profile_of_ours(self, key: str) -> Conditions:
        """A condition that an instance profile is one of the environment's."""
        return {"ArnLike": {key: self.iam("instance-profile")[0]}}

    @property
    def ec2_service(self) -> str:
        """What a role is passed to: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html."""
        return "ec2.amazonaws.com.cn" if self.partition == "aws-cn" else "ec2.amazonaws.com"

    @property
    def in_region(self) -> Conditions:
        """A condition that the environment's region is called."""
        return {"StringEquals": {"aws:RequestedRegion": self.region}}

    @property
    def owned(self) -> Conditions:
        """A condition that what is called upon carries the environment's tag."""
        return {"StringEquals": {OWN_RESOURCE: self.environment}}

    @property
    def named_so(self) -> Conditions:
        """A condition that what is made gets the environment's tag."""
        return {"StringEquals": {OWN_REQUEST: self.environment}}

    def owned_as(self, mark: str) -> Conditions:
        """A condition that what is called upon carries the environment's tag, and that of its kind."""
        return together(self.owned, {"Null": {f"aws:ResourceTag/{mark}": "false"}})

    def made_as(self, mark: str) -> Conditions:
        """A condition that what is made gets the environment's tag, and that of its kind."""
        return together(self.named_so, {"Null": {f"aws:RequestTag/{mark}": "false"}})


def read_ec2(place: Place, *operations: str) -> Statement:
    """Operations of EC2 that only read, of which it can limit nothing but the region."""
    why = "to compare what there is with the spec; EC2 cannot limit a Describe to some things"
    return Statement("ReadEc2", why, actions("ec2", *operations), conditions=place.in_region)


def read_iam(*operations: str) -> Statement:
    """Operations of IAM that list what the account has."""
    why = "to find the environment's roles and profiles; IAM cannot limit a list to some of them"
    return Statement("ListIam", why, actions("iam", *operations))


def named_and_none_of(*tags: str) -> Conditions:
    """A condition that the tags which are taken off are named, and that none of these is among them.

    DeleteTags that names none takes off all, and then has no `aws:TagKeys`, of which ForAllValues is true:
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteTags.html,
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition_examples-multi-valued-context-keys.html.
    """
    keys = "aws:TagKeys"
    return {"ForAllValues:StringNotEquals": {keys: list(tags)}, "Null": {keys: "false"}}


def pass_roles(place: Place) -> Statement:
    """A role that is put into a profile, or bound to an instance with its profile, is passed to EC2."""
    return Statement(
        "PassRoles",
        "to give instances the roles of the environment, by their profiles",
        ("iam:PassRole",),
        place.iam("role"),
        {"StringEquals": {"iam:PassedToService": place.ec2_service}},
    )


def free_instances(place: Place) -> Statement:
    """An instance is freed of a profile of the environment, whosever it is."""
    return Statement(
        "FreeInstances",
        "to take profiles of the environment off instances",
        ("ec2:DisassociateIamInstanceProfile",),
        place.ec2("instance"),
        place.profile_of_ours("ec2:InstanceProfile"),
    )


def proof_statements(place: Place) -> Iterable[Statement]:
    """What `--prove` asks besides; a dry run takes the right to do what it asks for.

    Of whom a simulation is, IAM limits by ARN only, and who will use the policy is not known here.
    """
    why = "to ask IAM whether what has no dry run would be allowed: policies of users and roles can be tried"
    everybody = (*place.iam("role", ANY), *place.iam("user", ANY))
    yield Statement("SimulatePolicies", why, ("iam:SimulatePrincipalPolicy",), everybody)
    why = "to find the path of the role whose session asks"
    yield Statement("FindOwnRole", why, ("iam:GetRole",), place.iam("role", ANY))
    why = "to say in words why EC2 refuses a call"
    yield Statement("DecodeRefusals", why, ("sts:DecodeAuthorizationMessage",))


def actions(service: str, *operations: str) -> tuple[str, ...]:
    """Operations of a service as actions."""
    return tuple(f"{service}:{operation}" for operation in operations)


def together(*conditions: Conditions) -> Conditions:
    """Conditions all of which have to hold."""
    merged: dict[str, dict[str, Any]] = {}
    for condition in conditions:
        for operator, keys in condition.items():
            merged.setdefault(operator, {}).update(keys)
    return merged


def only(statements: Iterable[Statement | None]) -> Iterable[Statement]:
    """Those that are there, and allow anything."""
    return (statement for statement in statements if statement and statement.actions)
