"""`--prove`: whether AWS would do what a plan says, asked before anything is done."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provisioner.aws.client import Aws
    from provisioner.cli.common import SpecFile
    from provisioner.model import Environment, Plan


def is_proving(spec: SpecFile, environment: Environment, said: bool | None) -> bool:
    """Whether it is asked: as the command line or the variable says, or else the spec, or else its folder.

    Raises SpecError.
    """
    wanted = environment.prove if said is None else said
    if wanted is not None:
        return wanted
    from provisioner.guardrails.files import library
    from provisioner.spec.folder import folder_proves

    return folder_proves(spec.path, library(), spec.root)


def proved(plan: Plan, aws: Aws) -> Plan:
    """The plan with the proof of it. Raises AwsError."""
    if plan.refusals:
        return plan
    from provisioner.aws.proving import ProvingAws
    from provisioner.proof.prove import prove

    return replace(plan, proof=prove(plan, ProvingAws.over(aws)))
