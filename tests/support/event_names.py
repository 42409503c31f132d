"""What botocore works out again for each session, worked out once for each process that runs tests.

Each session registers 120 handlers, looks through all aliases of events for the name of each, and inspects
what each takes. Each run of the program has a session of its own, and the tests run it thousands of times.
"""

from __future__ import annotations

from types import CodeType
from typing import Any

import botocore.hooks
from botocore.hooks import EventAliaser


def remember() -> None:
    """Sessions that are made from now on know all names and handlers that any of them has looked up."""
    look_up: Any = vars(EventAliaser)["_alias_event_name"]
    known: dict[str, str] = {}

    def remembered(events: Any, name: str) -> str:
        if name not in known:
            known[name] = look_up(events, name)
        return known[name]

    EventAliaser._alias_event_name = remembered  # type: ignore[attr-defined]

    inspect: Any = vars(botocore.hooks)["accepts_kwargs"]
    takes: dict[CodeType, Any] = {}

    def inspected(handler: Any) -> Any:
        code = getattr(handler, "__code__", None)
        if code is None:
            return inspect(handler)
        if code not in takes:
            takes[code] = inspect(handler)
        return takes[code]

    vars(botocore.hooks)["accepts_kwargs"] = inspected
