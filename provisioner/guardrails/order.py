"""Comparisons of rules in the order of OPA, where regopy has another one.

`<`, `<=`, `>`, `>=`, `min`, `max` and `sort` of compiled rules become calls of `order.rego`.
https://www.openpolicyagent.org/docs/latest/ir/
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from provisioner.guardrails.compiled import statements

# The package of order.rego, beside those of the user, and what is there for what of regopy.
PACKAGE = "provisioner_order"
_ORDERED = {
    "lt": "lt",
    "lte": "lte",
    "gt": "gt",
    "gte": "gte",
    "min": "least",
    "max": "greatest",
    "sort": "sorted",
}
# What a rule gets before its arguments: the input and the data.
_INPUT_AND_DATA = [{"type": "local", "value": 0}, {"type": "local", "value": 1}]


def order_module() -> str:
    """The text of order.rego."""
    return (Path(__file__).parent / "order.rego").read_text(encoding="utf-8")


def put_in_order(plan: dict[str, Any]) -> None:
    """Let the comparisons of a plan, which was compiled with the module, go by OPA's order."""
    for function in plan["funcs"]["funcs"]:
        if function["path"][1] == PACKAGE:
            continue
        for statement in statements(function["blocks"]):
            if statement.get("func") in _ORDERED:
                name = f"g0.data.{PACKAGE}.{_ORDERED[statement['func']]}"
                statement.update(func=name, args=[*_INPUT_AND_DATA, *statement["args"]])


def compares(plan: Mapping[str, Any]) -> bool:
    """Whether anything of a plan goes by the order of values."""
    functions = plan["funcs"]["funcs"]
    return any(
        statement.get("func") in _ORDERED
        for function in functions
        for statement in statements(function["blocks"])
    )
