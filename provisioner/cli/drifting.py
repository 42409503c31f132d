"""Looking for drift of one environment."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from provisioner.cli.common import SpecFile, load_spec, make_plan, with_tag_index

if TYPE_CHECKING:
    from provisioner.aws.client import Aws
    from provisioner.drift import DriftReport
    from provisioner.kinds.base import Reader
    from provisioner.model import Environment


def load_drifting(spec: SpecFile) -> Environment:
    """The environment of a spec, with the images that it has. Raises SpecError, also for what is wrong with
    what is accepted beside it: that is told before anything is sent."""
    from provisioner.kinds import KINDS, keep_images
    from provisioner.spec.accepted_drift import load_accepted

    environment = keep_images(load_spec(spec))
    load_accepted(spec.path, KINDS, spec.root)
    return environment


def find_drift(
    spec: SpecFile,
    environment: Environment,
    aws: Aws,
    deep: bool,
    today: date,
    reader: Reader | None = None,
) -> DriftReport:
    """Where AWS is not as the spec says, and what of that is accepted. Raises AwsError and SpecError."""
    from provisioner.kinds import KINDS
    from provisioner.spec.accepted_drift import load_accepted

    acceptances = load_accepted(spec.path, KINDS, spec.root)
    from provisioner.drift import report

    plan = make_plan(
        with_tag_index(environment, reader is not None), aws, destroying=False, deep=deep, reader=reader
    )
    return report(plan, acceptances, today)
