"""A restart that EC2 refuses, killed anywhere and run again: all members run, as what they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import local_aws
from local_aws import Capacity, Faults
from tests.faults.killing import Killing, Side, at_number
from tests.faults.runs import Nursery
from tests.faults.wire import Wire
from tests.support.cloud import REGION, Cloud
from tests.support.specs import IMAGE

MORE_THAN_ANY = 1000
REFUSED = {
    "the type does not fit": Faults(
        rules=(
            local_aws.error("ModifyInstanceAttribute", "InvalidInstanceAttributeValue", "No.", status=400),
        )
    ),
    "there is no room for the type": Faults(capacity=(Capacity(0, "t3.small"),)),
}


@pytest.mark.long
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("case", REFUSED)
def test_killed_after_every_call(
    case: str, count: int, aws: Cloud, wire: Wire, nursery: Nursery, tmp_path: Path
) -> None:
    spec = tmp_path / "refused.yaml"

    def write(type_: str) -> None:
        fleet: dict[str, Any] = {"count": count, "image": IMAGE, "instance_type": type_}
        text = {"environment": "refused", "region": REGION, "fleets": {"web": fleet}}
        spec.write_text(yaml.safe_dump(text))

    def words() -> tuple[str, ...]:
        return ("apply", "--yes", "--endpoint-url", wire.url, str(spec))

    wrong = []
    for number in range(1, MORE_THAN_ANY):
        wire.put()
        local_aws.control(aws.server, "reset", {})
        write("t3.micro")
        assert nursery.run(*words()).code == 0
        write("t3.small")
        local_aws.set_faults(aws.server, REFUSED[case])
        killing = Killing(Side.AFTER, at_number(number))
        wire.put(killing)
        running = nursery.start(*words())
        killing.victim.set_result(running)
        running.end()
        wire.put()
        if not killing.killed_at:
            break
        ran = nursery.run(*words())
        left = {(member["InstanceType"], member["State"]["Name"]) for member in aws.live("refused")}
        if ran.code != 1 or left != {("t3.micro", "running")} or "again as t3.micro" not in ran.said:
            wrong.append(f"killed after request {number}, {killing.killed_at.operation}: {left} {ran.said}")
    assert not wrong, "\n\n".join(wrong)
    assert number > 8
