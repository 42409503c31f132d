"""What it means that a plan is data: it can be walked through, compared, printed, and sent elsewhere."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from provisioner.execution import run_step
from provisioner.model import Plan

PLAIN = (str, bytes, int, float, bool, type(None), Enum, datetime, timedelta)


def not_inert(value: Any, path: str = "") -> Iterator[str]:
    """The places of all that is no plain data, such as functions, and of steps that nothing runs."""
    if isinstance(value, PLAIN):
        return
    if is_dataclass(value) and not isinstance(value, type):
        if not value.__dataclass_params__.frozen:  # type: ignore[attr-defined]
            yield f"{path}: {type(value).__name__} is not frozen"
        if callable(getattr(value, "calls", None)) and not is_run(type(value)):
            yield f"{path}: nothing is registered to run {type(value).__name__}"
        for field in fields(value):
            yield from not_inert(getattr(value, field.name), f"{path}.{field.name}")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from not_inert(key, f"{path}[key]")
            yield from not_inert(item, f"{path}[{key}]")
    elif isinstance(value, tuple | list | frozenset):
        for number, item in enumerate(value):
            yield from not_inert(item, f"{path}[{number}]")
    else:
        yield f"{path}: {type(value).__name__}"


def is_run(step: type) -> bool:
    """Whether anything is registered for a type of steps."""
    return run_step.dispatch(step) is not run_step.dispatch(object)


def check_is_data(plan: Plan) -> None:
    """Every change of a plan is plain frozen data, and the same again after a trip through bytes."""
    for change in plan.changes:
        found = list(not_inert(change, str(change.address)))
        if found:
            raise AssertionError("; ".join(found))
        if pickle.loads(pickle.dumps(change)) != change:
            raise AssertionError(f"{change.address} is not what it was")
