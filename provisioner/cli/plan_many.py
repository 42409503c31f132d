"""Plans of many environments, as `plan`, `apply` and `destroy` make them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from provisioner.cli.common import (
    Shown,
    SpecFile,
    given_rules,
    load_rules,
    load_spec,
    make_plan,
    pricing_for,
    regions_to_skip,
    with_tag_index,
)
from provisioner.cli.prove import is_proving, proved

if TYPE_CHECKING:
    from provisioner.aws.client import Aws
    from provisioner.aws.connect import Options
    from provisioner.guardrails.rego import Rules
    from provisioner.kinds.base import Reader
    from provisioner.many.jobs import Job
    from provisioner.many.outcome import Outcome
    from provisioner.model import Environment, Plan
    from provisioner.render.layout import Line


class Planning(NamedTuple):
    """How plans are made: what the command line says of all. `only_looks`: nothing is done by them."""

    options: Options
    destroying: bool = False
    refreshed: tuple[str, ...] = ()
    my_ip: bool = False
    deep: bool = False
    policies: tuple[str, ...] = ()
    skipped_regions: str = ""
    no_cost: bool = False
    proving: bool | None = None
    shown: Shown = Shown()
    changes_code: int = 0
    only_looks: bool = False

    def check(self) -> None:
        """Raises UsageError where the command line is wrong whichever spec it is, and SpecError for rules."""
        regions_to_skip(self.skipped_regions)
        given_rules(self.policies)

    def load(self, spec: SpecFile) -> Environment:
        """Raises SpecError, and UsageError for what the options name and the spec does not have."""
        environment = load_spec(
            spec, self.refreshed, self.skipped_regions, self.my_ip, needs_contents=not self.destroying
        )
        return with_tag_index(environment, is_one_of_many=True) if self.only_looks else environment

    def plan(self, job: Job, aws: Aws, reader: Reader | None = None) -> Plan:
        """Raises ProvisionerError."""
        pricing = pricing_for(aws, job.environment, self.options, self.no_cost, reader)
        rules = self.rules(job.spec)
        return make_plan(job.environment, aws, self.destroying, self.deep, rules, pricing, reader)

    def rules(self, spec: SpecFile) -> Sequence[Rules]:
        """The guardrails of a spec. Raises UsageError and SpecError."""
        return load_rules(spec, self.policies)

    def work(self, job: Job, aws: Aws, reader: Reader) -> Outcome:
        """The outcome of one plan. Raises ProvisionerError."""
        from provisioner.many.plans import plan_outcome

        made = self.plan(job, aws, reader)
        if is_proving(job.spec, job.environment, self.proving):
            made = proved(made, aws)
        return plan_outcome(job, made, self.changes_code, self.shown.user_data)

    def lines(self, outcome: Outcome, width: int) -> list[Line] | None:
        """A plan for people; None where there is nothing to be said of it."""
        from provisioner.render.as_text import plan_lines

        plan = outcome.plan
        if plan is None or not (plan.changes or plan.refusals or plan.notes):
            return None
        digest = outcome.data["plan"]["digest"]
        return plan_lines(plan, width, self.options.is_local, self.shown.ids, self.shown.user_data, digest)
