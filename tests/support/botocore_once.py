"""What botocore works out again and again, worked out once for each process that runs tests.

Each session registers 120 handlers, looks through all aliases of events for the name of each, and inspects
what each takes. Each run of the program has a session of its own, and the tests run it thousands of times.
And for each request the same dozen words of the user agent are looked through letter by letter, twice.
"""

from __future__ import annotations

from functools import cache
from types import CodeType
from typing import Any

import botocore.hooks
import botocore.useragent
from botocore.hooks import EventAliaser


def remember() -> None:
    """Sessions know all names, handlers and words that any of them has looked at from now on."""
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

    words = vars(botocore.useragent)
    words["sanitize_user_agent_string_component"] = cache(words["sanitize_user_agent_string_component"])
