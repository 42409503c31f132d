"""The local AWS decides by IAM policies as an engine does that nobody here wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import second_engine
from tests.support.iam_cases import CASES, document

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return second_engine.install(tmp_path_factory.mktemp("second-engine"))


def test_two_engines_agree(engine: Path) -> None:
    answers = second_engine.decide(
        engine,
        [
            second_engine.simulation(
                case.action,
                case.resource,
                dict(case.context),
                [document(case.statements)],
                None if case.boundary is None else document(case.boundary),
            )
            for case in CASES
        ],
    )
    broken = {case.title: answer for case, answer in zip(CASES, answers, strict=True) if answer["errors"]}
    assert broken == {}
    differing = [
        case.title
        for case, answer in zip(CASES, answers, strict=True)
        if answer["allowed"] != case.is_allowed
    ]
    assert differing == []
