"""Tags of EC2 resources.

EC2 User Guide, "Tag your Amazon EC2 resources: tag restrictions" (50 per resource, keys of 128 and values of
256 characters, `aws:` is reserved); API Reference, CreateTags, DeleteTags (up to 1000 resources; without
tags DeleteTags removes all of the user's); User Guide, "View tags for your EC2 instances using instance
metadata" (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/work-with-tags-in-IMDS.html), with the words of
aws/karpenter-provider-aws#1527. moto accepts any number, any key, and unknown instances.
"""

from __future__ import annotations

import re
from typing import Any

from moto.ec2.models import validate_resource_ids

from local_aws.call import AwsError, Call
from local_aws.corrections import states
from local_aws.corrections.registry import check, handler
from local_aws.corrections.views import tags_of
from local_aws.world import World

MAX_RESOURCES, MAX_TAGS = 1000, 50
KEY_LENGTH, VALUE_LENGTH = 128, 256
METADATA_KEY = re.compile(r"[0-9a-zA-Z\-_+=,.@:]{1,255}")
RESERVED_METADATA_KEYS = (".", "..", "_index")
LAUNCH_TYPES = ("instance", "volume", "network-interface", "spot-instances-request")


@check("ec2:CreateTags", "ec2:DeleteTags")
def resources(world: World, call: Call) -> None:
    """Up to 1000 resources, and instances that exist."""
    ids = call.params.get("Resources") or []
    if not ids:
        raise AwsError("MissingParameter", "The request must contain the parameter resourceIdSet")
    if len(ids) > MAX_RESOURCES:
        text = f"The request names {len(ids)} resources; at most {MAX_RESOURCES} are allowed."
        raise AwsError("RequestResourceCountExceeded", text)
    states.find(world.region(call.region), [item for item in ids if item.startswith("i-")])


@check("ec2:CreateTags")
def new_tags(world: World, call: Call) -> None:
    """Keys and values within the limits, also together with what the resource has."""
    tags = call.params.get("Tags") or []
    check_tags(tags)
    has = world.region(call.region).backend.tags
    for resource in call.params.get("Resources") or []:
        merged = {*has.get(resource, ()), *(tag["Key"] for tag in tags)}
        _check_number(merged)


@handler("ec2:CreateTags")
def create(world: World, call: Call) -> dict[str, Any]:
    """Sets the tags; resources that are no instances are looked up by moto."""
    backend = world.region(call.region).backend
    ids = call.params["Resources"]
    validate_resource_ids(ids)
    backend.do_resources_exist([item for item in ids if not item.startswith("i-")])
    backend.create_tags(ids, {tag["Key"]: tag.get("Value") or "" for tag in call.params.get("Tags") or []})
    return {}


@check("ec2:DeleteTags")
def reserved(world: World, call: Call) -> None:
    """What begins with `aws:` cannot be removed."""
    for tag in call.params.get("Tags") or []:
        _check_reserved(tag.get("Key") or "")


@handler("ec2:DeleteTags")
def delete(world: World, call: Call) -> Any:
    """Removes the tags named, or all of the user's if none is."""
    backend = world.region(call.region).backend
    tags = call.params.get("Tags") or []
    for resource in call.params["Resources"]:
        has = backend.tags.get(resource, {})
        named = tags or [{"Key": key} for key in list(has) if not key.startswith("aws:")]
        for tag in named:
            # A key alone matches any value; an empty value matches the empty value only.
            if tag["Key"] in has and tag.get("Value") in (None, has[tag["Key"]]):
                del has[tag["Key"]]
    return {}


@check("ec2:CreateTags")
def in_metadata(world: World, call: Call) -> None:
    """Tags of an instance that shows them in its metadata have keys that can be shown."""
    members = world.region(call.region).members
    for resource in call.params.get("Resources") or []:
        member = members.get(resource)
        if member and member.instance.metadata_options.instance_metadata_tags == "enabled":
            check_metadata_keys([tag["Key"] for tag in call.params.get("Tags") or []])


@check("ec2:ModifyInstanceMetadataOptions")
def may_be_in_metadata(world: World, call: Call) -> None:
    """An instance shows its tags in its metadata only if all keys can be shown."""
    member = world.region(call.region).members.get(call.params.get("InstanceId") or "")
    if member and call.params.get("InstanceMetadataTags") == "enabled":
        check_metadata_keys([tag["Key"] for tag in tags_of(member)])


def check_metadata_keys(keys: list[str]) -> None:
    """Raises InvalidParameterValue for a key that the metadata service cannot serve, in AWS's words."""
    for key in keys:
        if not METADATA_KEY.fullmatch(key) or key in RESERVED_METADATA_KEYS:
            raise AwsError(
                "InvalidParameterValue",
                f"'{key}' is not a valid tag key. Tag keys must match pattern "
                "([0-9a-zA-Z\\\\-_+=,.@:]{1,255}), and must not be a reserved name ('.', '..', '_index')",
            )


@check("ec2:RunInstances")
def launch_tags(world: World, call: Call) -> None:
    """Tags given at launch: each kind of resource once, within the limits."""
    kinds = []
    options = call.params.get("MetadataOptions") or {}
    for spec in call.params.get("TagSpecifications") or []:
        kind = spec.get("ResourceType")
        kinds.append(kind)
        if kind not in LAUNCH_TYPES:
            text = f"'{kind}' is not a valid taggable resource type for this operation."
            raise AwsError("InvalidParameterValue", text)
        check_tags(spec.get("Tags") or [])
        if kind == "instance" and options.get("InstanceMetadataTags") == "enabled":
            check_metadata_keys([tag["Key"] for tag in spec.get("Tags") or []])
    if len(kinds) != len(set(kinds)):
        raise AwsError(
            "InvalidParameterValue", "A tag specification for the same resource type is given twice."
        )


def check_tags(tags: list[dict[str, str]]) -> None:
    """Raises InvalidParameterValue or TagLimitExceeded for tags that EC2 would refuse."""
    keys = [tag.get("Key") or "" for tag in tags]
    for tag, key in zip(tags, keys, strict=True):
        _check_reserved(key)
        if not 1 <= len(key) <= KEY_LENGTH:
            text = (
                f"Tag key exceeds the maximum length of {KEY_LENGTH} characters"
                if key
                else "Tag key is empty"
            )
            raise AwsError("InvalidParameterValue", text)
        if len(tag.get("Value") or "") > VALUE_LENGTH:
            text = f"Tag value exceeds the maximum length of {VALUE_LENGTH} characters"
            raise AwsError("InvalidParameterValue", text)
    if len(keys) != len(set(keys)):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise AwsError("InvalidParameterValue", f"Duplicate tag key '{twice}' specified.")
    _check_number(set(keys))


def _check_reserved(key: str) -> None:
    if key.lower().startswith("aws:"):
        raise AwsError("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")


def _check_number(keys: set[str]) -> None:
    if len([key for key in keys if not key.startswith("aws:")]) > MAX_TAGS:
        text = f"The maximum number of tags for a resource, {MAX_TAGS}, has been reached."
        raise AwsError("TagLimitExceeded", text)
