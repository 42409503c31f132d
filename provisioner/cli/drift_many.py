"""Drift of many environments."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from provisioner.cli.common import CHANGES
from provisioner.cli.drifting import find_drift, load_drifting
from provisioner.cli.many import Many, look_at_all
from provisioner.render.as_drift import drift_data, drift_lines, remarks, verdict

if TYPE_CHECKING:
    from provisioner.aws.client import Aws
    from provisioner.kinds.base import Reader
    from provisioner.many.jobs import Job
    from provisioner.many.outcome import Outcome
    from provisioner.render.layout import Line


def drift_of_many(many: Many, deep: bool, ids: bool, today: date) -> int | None:
    """The whole of `drift` on many specs: the exit code."""

    def lines(outcome: Outcome, width: int) -> list[Line] | None:
        found = outcome.subject
        if found is None or not (found.differences or any(True for _ in remarks(found))):
            return None
        return drift_lines(found, width, many.options.is_local, ids)

    return look_at_all(many, load_drifting, partial(_work, deep=deep, today=today), lines, "compared")


def _work(job: Job, aws: Aws, reader: Reader, deep: bool, today: date) -> Outcome:
    from provisioner.many.outcome import Verdict

    found = find_drift(job.spec, job.environment, aws, deep, today, reader)
    is_drift = bool(found.differences)
    kind, code = (Verdict.CHANGES, CHANGES) if is_drift else (Verdict.OK, 0)
    words = verdict(found) if is_drift or found.accepted else "no drift"
    return replace(
        job.outcome(kind, code, words.rstrip(".").removeprefix("Drift: ")),
        account_id=found.account_id,
        data={"drift": drift_data(found)},
        subject=found,
    )
