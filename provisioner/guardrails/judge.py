"""What rules say of a plan becomes part of the plan."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from provisioner.guardrails.rego import Rules, Verdict
from provisioner.model import Address, Note, Plan, Refusal
from provisioner.render.as_json import plan_data

KIND = "guardrail"
# Rules hold the document that they judge, and threads may share them.
_JUDGING = threading.Lock()


def guarded(plan: Plan, rules: Sequence[Rules]) -> Plan:
    """The plan with a refusal for each message of `deny` and `violation`, and a warning for each of `warn`.

    The rules get the same document that `plan --format json` prints, so that `conftest test` says the same.
    What several say in the same words is said once.
    """
    document = plan_data(plan)
    with _JUDGING:
        verdicts = [verdict for some in rules for verdict in some.judge(document)]
    refusals = dict.fromkeys(_refusal(verdict) for verdict in verdicts if verdict.denies)
    notes = dict.fromkeys(_note(verdict) for verdict in verdicts if not verdict.denies)
    return replace(plan, refusals=(*plan.refusals, *refusals), notes=(*plan.notes, *notes))


def _refusal(verdict: Verdict) -> Refusal:
    rule = verdict.rule
    if verdict.is_failure:
        message = f"the rule could not be evaluated, so nothing is allowed: {verdict.message}"
        return Refusal(_address(verdict), message, f"correct it in {rule.file}")
    return Refusal(_address(verdict), verdict.message, f"the rule is in {rule.file}")


def _note(verdict: Verdict) -> Note:
    return Note(_address(verdict), verdict.message, is_warning=True)


def _address(verdict: Verdict) -> Address:
    return Address(KIND, str(verdict.rule))
