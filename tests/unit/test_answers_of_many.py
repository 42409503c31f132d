"""Answers about many things at once say of each whether it was done, and are no success where one was not."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.aws.errors import refused_in

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
