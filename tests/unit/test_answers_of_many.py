"""Answers about many things at once say of each whether it was done, and are no success where one was not."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from provisioner.aws.errors import answered, refused_in

NOT_SUPPORTED = {
    "InstanceId": "i-00000000000000001",
    "Error": {
        "Code": "InstanceCreditSpecification.NotSupported",
        "Message": "The m5.large instance type does not support T2 Unlimited.",
    },
}
DONE = [{"InstanceId": "i-00000000000000002"}]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (
            {"SuccessfulInstanceCreditSpecifications": DONE, "UnsuccessfulInstanceCreditSpecifications": []},
            None,
        ),
        ({"UnsuccessfulInstanceCreditSpecifications": [NOT_SUPPORTED]}, NOT_SUPPORTED["Error"]["Code"]),  # type: ignore[index]
        ({"Reservations": []}, None),
    ],
    ids=["all done", "one was not", "an answer of another kind"],
)
def test_what_was_not_done_is_an_error(answer: dict[str, Any], code: str | None) -> None:
    error = refused_in("ec2", "ModifyInstanceCreditSpecification", answer)
    assert (error.code if error else None) == code
    if error:
        assert "i-00000000000000001: The m5.large instance type" in error.message


@pytest.mark.parametrize("operation", ["TerminateInstances", "StopInstances"])
@pytest.mark.parametrize(
    ("attribute", "setting"),
    [("disableApiTermination", "termination_protection"), ("disableApiStop", "stop_protection")],
)
def test_the_protection_that_ec2_names_is_the_one_to_switch_off(
    operation: str, attribute: str, setting: str
) -> None:
    text = f"The instance 'i-1' may not be terminated. Modify its '{attribute}' instance attribute."
    response: Any = {"Error": {"Code": "OperationNotPermitted", "Message": text}}
    hint = answered("ec2", operation, ClientError(response, operation)).hint or ""
    assert f"`{setting}: false`" in hint
    assert hint.count("_protection") == 1


@pytest.mark.timeout(60)
def test_of_a_text_without_end_some_is_told_and_no_half_of_a_secret() -> None:
    text = f"a.a.{'x' * 32_745} access_token=hunter2hunter2 " + "a." * 2**24 + " ://"
    response: Any = {"Error": {"Code": "Odd", "Message": text}}
    told = answered("ec2", "RunInstances", ClientError(response, "RunInstances")).message
    assert len(told) < 40_000
    assert ("hunter" in told, "access_token=***" in told) == (False, True)
    refused = refused_in("ec2", "X", {"Unsuccessful": [{"Error": response["Error"]}]})
    assert refused is not None
    assert len(refused.message) < 40_000
