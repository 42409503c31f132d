"""What the local AWS makes of policies: each operator and element, as the IAM User Guide says."""

from __future__ import annotations

import pytest

from local_aws.iam.evaluate import BOUNDARY, IDENTITY, SESSION, Decision, Policies, Request, decide
from tests.support.iam_cases import CASES, Case, allow, deny, document


def decided(case: Case) -> Decision:
    context = {key: tuple(value) if isinstance(value, list) else value for key, value in case.context.items()}
    boundary = None if case.boundary is None else document(case.boundary)
    policies = Policies([document(case.statements)], boundary)
    return decide(policies, Request(case.action, case.resource, context))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_a_request_is_decided_as_iam_does(case: Case) -> None:
    assert decided(case).is_allowed is case.is_allowed


REQUEST = Request("ec2:StopInstances", "*")
EVERYTHING, NOTHING = document([allow()]), document([])


@pytest.mark.parametrize(
    ("policies", "layer", "is_explicit"),
    [
        (Policies([NOTHING]), IDENTITY, False),
        (Policies([document([deny()])]), IDENTITY, True),
        (Policies([EVERYTHING], NOTHING), BOUNDARY, False),
        (Policies([EVERYTHING], document([deny()])), BOUNDARY, True),
        (Policies([EVERYTHING], EVERYTHING, NOTHING), SESSION, False),
        (Policies([EVERYTHING, NOTHING], EVERYTHING, EVERYTHING), "", False),
    ],
)
def test_the_layer_that_refuses_is_told(policies: Policies, layer: str, is_explicit: bool) -> None:
    decision = decide(policies, REQUEST)
    assert (decision.layer, decision.is_explicit) == (layer, is_explicit)
