"""The fidelity layer: what AWS documents and moto does otherwise, one theme per file.

Each correction names the AWS document that it follows; docs/local-aws.md lists them with their tests.
"""

from __future__ import annotations

from typing import Any

from moto.utilities.utils import get_partition

from local_aws.call import AwsError, Call
from local_aws.corrections import (
    access_keys,
    attributes,
    authorization,
    console,
    describe,
    hibernation,
    hundreds,
    iam_limits,
    iam_lists,
    iam_names,
    iam_policies,
    iam_principals,
    iam_profiles,
    images,
    interfaces,
    ipv6,
    key_pairs,
    lag,
    launch,
    launch_checks,
    limits,
    options,
    parameters,
    placement,
    pricing,
    profiles,
    quotas,
    regions,
    reservations,
    security_groups,
    simulation,
    spot,
    states,
    status,
    tag_index,
    tags,
    volume_modifications,
    volumes,
)
from local_aws.corrections.characters import check_characters
from local_aws.corrections.filters import check_number
from local_aws.corrections.registry import CHECKS, HANDLERS
from local_aws.corrections.states import settle
from local_aws.iam.gatekeeper import authorize
from local_aws.world import World

__all__ = ["answer_call", "settle"]

# Imported for what they register when they are imported.
_THEMES = (
    access_keys,
    attributes,
    authorization,
    console,
    describe,
    hibernation,
    hundreds,
    iam_limits,
    iam_lists,
    iam_names,
    iam_policies,
    iam_principals,
    iam_profiles,
    images,
    interfaces,
    ipv6,
    key_pairs,
    launch,
    launch_checks,
    limits,
    options,
    parameters,
    placement,
    pricing,
    profiles,
    quotas,
    regions,
    reservations,
    security_groups,
    simulation,
    spot,
    states,
    status,
    tag_index,
    tags,
    volume_modifications,
    volumes,
)


def answer_call(world: World, call: Call) -> Any:
    """Checks, then the dry run's answer if it is one, then the answer. Raises AwsError or moto's errors.

    DryRun: EC2 API Reference, "Common query parameters": every EC2 action answers `DryRunOperation` if it
    would have succeeded; moto executes some of them instead.
    """
    world.partition = get_partition(call.region)
    access_keys.check_key(world, call)
    limits.charge_request(world, call)
    check_characters(call)
    check_number(call)
    if world.faults.enforce_iam:
        authorize(world, call)
    for check in CHECKS.get(call.name, ()):
        check(world, call)
    if call.service == "ec2" and call.params.get("DryRun"):
        raise AwsError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
    handler = HANDLERS.get(call.name)
    with lag.around(world, call):
        return handler(world, call) if handler else call.moto()
