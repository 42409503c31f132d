"""A reset leaves nothing behind, also in memory: one process serves thousands of tests."""

from __future__ import annotations

import gc
import weakref

import pytest


@pytest.mark.long
def test_a_reset_lets_go_of_everything() -> None:
    # Not when tests are collected, as all processes do: with this comes moto, which takes a second.
    from local_aws.world import World

    world = World()
    backend, iam = world.region("eu-north-1").backend, world.iam
    image = next(iter(backend.amis))
    backend.run_instances(
        image,
        3,
        None,
        [],
        instance_type="t3.micro",
        is_instance_type_default=False,
        region_name="eu-north-1",
        tags={},
        placement="eu-north-1a",
    )
    iam.create_role("worker", "{}", "/", None, "", [], "3600")
    (member, *_) = world.region("eu-north-1").members.values()
    (role,) = iam.roles.values()
    held = [weakref.ref(item) for item in (backend, iam, member.instance, role)]
    del backend, iam, member, _, role
    world.reset()
    gc.collect()
    assert [reference() for reference in held] == [None] * 4
    assert world.region("eu-north-1").members == {}
