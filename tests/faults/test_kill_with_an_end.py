"""Killed at its launch, and run again at another time: one launch, and one end, which a duration begins once.

The end is a parameter of the launch. Where something was made before it, that remembers the end. Where
nothing was, the next run asks for another one, and EC2 says that there was a launch.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.faults.killing import Side, at, run_and_kill
from tests.faults.runs import Nursery
from tests.faults.wire import Wire
from tests.support.cloud import Cloud, tags_of
from tests.support.specs import IMAGE

ALONE: dict[str, Any] = {
    "environment": "ending",
    "region": "us-east-1",
    "expires": "8h",
    "fleets": {"web": {"count": 3, "image": IMAGE, "instance_type": "t3.micro"}},
}
REMEMBERED = {
    **ALONE,
    "roles": {"web": {}},
    "instance_profiles": {"web": {"role": "web"}},
    "fleets": {"web": {**ALONE["fleets"]["web"], "instance_profile": "web"}},
}


@pytest.mark.parametrize("lag_s", [0.0, 5.0])
@pytest.mark.parametrize("side", Side, ids=lambda side: side.name.lower())
@pytest.mark.parametrize("spec", [ALONE, REMEMBERED], ids=["alone", "remembered"])
@pytest.mark.sampled
def test_the_next_run_launches_nothing_twice_and_moves_no_end(
    aws: Cloud, wire: Wire, nursery: Nursery, tmp_path: Path, spec: dict[str, Any], side: Side, lag_s: float
) -> None:
    import local_aws

    wire.put()
    local_aws.control(aws.server, "reset", {})
    aws.break_with(lag_s=lag_s)
    path = tmp_path / "spec.yaml"
    path.write_text(json.dumps(spec))
    words = ["--endpoint-url", wire.url, str(path)]
    assert run_and_kill(nursery, wire, side, at("RunInstances"), "apply", "--yes", *words)
    # So that the second run has another time of day.
    aws.wait(2.0)
    again = nursery.run("apply", "--yes", *words)
    assert again.code == 0, again.said
    aws.wait(60.0)
    assert len(aws.instances()) == 3
    ends = [tags_of(instance) for instance in aws.live("ending")]
    ends += [aws.picture_of_role(name)["Tags"] for name in aws.roles()]
    assert len({tags["provisioner:expires"] for tags in ends}) == 1
    planned = nursery.run("plan", "--detailed-exitcode", *words)
    assert planned.code == 0, planned.said
