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


_NOT_ALIKE = frozenset({"__init__", "__init_subclass__", "__setstate__", "__dict__", "__weakref__"})
# Classes may be made of each other, and any thread may be the first.
_making = threading.RLock()


def _postponed(cls: Any, options: dict[str, Any]) -> Any:
    """A class that becomes a dataclass when it is needed. Raises TypeError for one with methods that would
    be in the way of that."""
    if taken := {"__init__", "__init_subclass__", "__setstate__"} & vars(cls).keys():
        raise TypeError(f"{cls.__name__} has {', '.join(sorted(taken))}: use dataclasses.dataclass")

    def make() -> None:
        with _making:
            if vars(cls).get("__init__") is init:
                _make_now(cls, options)

    def init(instance: Any, /, *args: Any, **kwargs: Any) -> None:
        make()
        instance.__init__(*args, **kwargs)

    # A dataclass made of this one looks for its fields.
    def init_subclass(made: type, /, **kwargs: Any) -> None:
        make()
        super(cls, made).__init_subclass__(**kwargs)

    # The first instance may be unpickled, or copied of one that was.
    def set_state(instance: Any, state: dict[str, Any], /) -> None:
        make()
        vars(instance).update(state)

    cls.__init__ = init
    cls.__init_subclass__ = classmethod(init_subclass)
    cls.__setstate__ = set_state
    return cls


def _make_now(cls: Any, options: dict[str, Any]) -> None:
    before = dict(vars(cls))
    try:
        init = _init_of(cls, options)
        dataclasses.dataclass(**options, init=False)(cls)
        # At once, and last: other threads may be making instances, and wait for this one.
        cls.__init__ = init
        del cls.__init_subclass__, cls.__setstate__
    except BaseException:
        # An interruption may come in the midst. Then it is made once more.
        for name in vars(cls).keys() - before.keys():
            delattr(cls, name)
        for name, value in before.items():
            if vars(cls).get(name) is not value:
                setattr(cls, name, value)
        raise


def _init_of(cls: Any, options: dict[str, Any]) -> Any:
    """Its `__init__`, made for a class like it, as that of a class that has one is not replaced."""
    own = {name: value for name, value in vars(cls).items() if name not in _NOT_ALIKE}
    like = type(cls)(cls.__name__, cls.__bases__, own)
    dataclasses.dataclass(**(options | {"repr": False, "eq": False, "order": False}))(like)
    return vars(like)["__init__"]
