"""Where corrections announce themselves: checks before a call, and answers instead of moto's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from local_aws.call import Call
from local_aws.world import World

Check = Callable[[World, Call], None]
Handler = Callable[[World, Call], Any]

CHECKS: dict[str, list[Check]] = defaultdict(list)
HANDLERS: dict[str, Handler] = {}


def check(*names: str, first: bool = False) -> Callable[[Check], Check]:
    """The function runs before these operations (`ec2:RunInstances`), and raises AwsError to refuse one.

    `first`: before all checks that were registered so far.
    """

    def register(function: Check) -> Check:
        for name in names:
            CHECKS[name].insert(0 if first else len(CHECKS[name]), function)
        return function

    return register


def handler(*names: str) -> Callable[[Handler], Handler]:
    """The function answers these operations: with a dict by the service model, or with moto's result."""

    def register(function: Handler) -> Handler:
        for name in names:
            if name in HANDLERS:
                raise ValueError(f"{name} is answered twice")
            HANDLERS[name] = function
        return function

    return register
