"""`dataclass` of the standard library, whose methods are made when a class has its first instance.

A frozen dataclass takes Python 0.6 ms to make, as each of its six methods is compiled from text. A plan
imports 136 of them and has instances of a few: a seventh of its CPU time. Measured in docs/performance.md.
"""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(cls: type | None = None, /, **options: Any) -> Any:
        """As `dataclasses.dataclass`, but for `slots`: nothing of it is there before the first instance, or
        the first class that is made of this one. What is wrong with its fields is told then."""
        return _postponed(cls, options) if cls else lambda decorated: _postponed(decorated, options)


# Classes may be made of each other, and any thread may be the first.
_making = threading.RLock()


def _postponed(cls: Any, options: dict[str, Any]) -> Any:
    """A class that becomes a dataclass when it is needed. Raises TypeError for one with methods that would
    be in the way of that."""
    if taken := {"__new__", "__init__", "__init_subclass__"} & vars(cls).keys():
        raise TypeError(f"{cls.__name__} has {', '.join(sorted(taken))}: use dataclasses.dataclass")

    def make() -> None:
        with _making:
            if vars(cls)["__new__"] is pending:
                _make_now(cls, options)

    # Every instance begins here, also one that is copied or unpickled, and other threads wait here.
    def new(called: type, /, *args: Any, **kwargs: Any) -> Any:
        make()
        return object.__new__(called)

    # A dataclass made of this one looks for its fields.
    def init_subclass(made: type, /, **kwargs: Any) -> None:
        make()
        super(cls, made).__init_subclass__(**kwargs)

    pending = staticmethod(new)
    cls.__new__ = pending
    cls.__init_subclass__ = classmethod(init_subclass)
    return cls


def _instance(called: type, /, *args: Any, **kwargs: Any) -> Any:
    """`__new__` of a class that is made: a class from which it is deleted takes no arguments any more."""
    return object.__new__(called)


def _make_now(cls: Any, options: dict[str, Any]) -> None:
    before = dict(vars(cls))
    try:
        dataclasses.dataclass(**options)(cls)
        del cls.__init_subclass__
        cls.__new__ = staticmethod(_instance)
    except BaseException:
        # An interruption may come in the midst. Then it is made once more.
        for name in vars(cls).keys() - before.keys():
            delattr(cls, name)
        for name, value in before.items():
            if vars(cls).get(name) is not value:
                setattr(cls, name, value)
        raise
