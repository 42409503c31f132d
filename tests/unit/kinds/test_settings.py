"""The rows of the table of settings: complete when imported, and changed in as few calls as EC2 takes."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.kinds.fleet.setting import How, Setting, combined
from provisioner.model import Call

ONE, TWO = "i-00000000000000001", "i-00000000000000002"


@pytest.mark.parametrize(
    ("how", "written", "missing"),
    [
        (How.LIVE, {}, "change"),
        (How.RESTART, {"launch": lambda fleet, to: {}}, "change"),
        (How.RESTART, {"change": lambda to: ()}, "launch"),
        (How.REPLACE, {}, "launch"),
    ],
)
def test_a_row_without_a_writer_for_its_way_of_changing_is_refused(
    how: How, written: dict[str, Any], missing: str
) -> None:
    with pytest.raises(TypeError, match=f"colour changes by {how}, so its row has to say `{missing}`"):
        Setting("colour", how, "paint is fresh", "https://example.com", **written)


def call(operation: str, **params: Any) -> Call:
    return Call("ec2", operation, params)


CALLS: dict[str, tuple[list[Call], list[list[Call]]]] = {
    "options of one operation go in one call a member": (
        [
            call("ModifyInstanceMetadataOptions", InstanceId=ONE, HttpTokens="required"),
            call("ModifyInstanceMetadataOptions", InstanceId=TWO, HttpTokens="required"),
            call("ModifyInstanceMetadataOptions", InstanceId=ONE, HttpPutResponseHopLimit=2),
            call("ModifyInstanceMetadataOptions", InstanceId=TWO, HttpPutResponseHopLimit=2),
        ],
        [
            [
                call(
                    "ModifyInstanceMetadataOptions",
                    InstanceId=each,
                    HttpTokens="required",
                    HttpPutResponseHopLimit=2,
                )
                for each in (ONE, TWO)
            ]
        ],
    ),
    "attributes go one by one": (
        [
            call("ModifyInstanceAttribute", InstanceId=ONE, DisableApiTermination={"Value": True}),
            call(
                "ModifyInstanceAttribute", InstanceId=ONE, InstanceInitiatedShutdownBehavior={"Value": "stop"}
            ),
        ],
        [
            [call("ModifyInstanceAttribute", InstanceId=ONE, DisableApiTermination={"Value": True})],
            [
                call(
                    "ModifyInstanceAttribute",
                    InstanceId=ONE,
                    InstanceInitiatedShutdownBehavior={"Value": "stop"},
                )
            ],
        ],
    ),
    "members that are named in a list go together": (
        [call("MonitorInstances", InstanceIds=[ONE]), call("MonitorInstances", InstanceIds=[TWO])],
        [[call("MonitorInstances", InstanceIds=[ONE, TWO])]],
    ),
    "at most a thousand of them": (
        [call("MonitorInstances", InstanceIds=[f"i-{number:017x}"]) for number in range(1001)],
        [
            [
                call("MonitorInstances", InstanceIds=[f"i-{number:017x}" for number in range(1000)]),
                call("MonitorInstances", InstanceIds=[f"i-{1000:017x}"]),
            ]
        ],
    ),
}


@pytest.mark.parametrize("case", CALLS)
def test_what_one_call_can_carry_is_one_call(case: str) -> None:
    calls, expected = CALLS[case]
    assert combined(calls) == expected
