"""What is going on while a plan is carried out: what is in flight, and what has ended, each told once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import field
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner

from provisioner.apply import Event, Finished, Started, Waiting
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Action, Change, Failure, Outcome
from provisioner.render.as_outcomes import SHORTEST_S, is_final
from provisioner.render.layout import Line, line
from provisioner.render.styled import styled
from provisioner.render.words import breakdown, duration

VERBS = {
    Action.CREATE: "creating",
    Action.UPDATE: "updating",
    Action.REPLACE: "replacing",
    Action.DELETE: "deleting",
}
# Where lines cannot be rewritten, a wait says how far it is only so often.
SECONDS_BETWEEN_LINES = 10.0


def doing(change: Change) -> str:
    """What is being done, in words: `creating 50 instances`."""
    return f"{VERBS[change.action]} {breakdown([change])}"


def _not_yet(outcome: Outcome, failure: Failure) -> Line:
    reason = f": {failure.code or failure.message}; looking again"
    took = line(f" after {duration(outcome.seconds)}", "faint") if outcome.seconds >= SHORTEST_S else ()
    return (*line("not yet", "unfinished"), *took, *line(reason))


@dataclass
class _InFlight:
    """One change that is being carried out, and the line that shows it."""

    change: Change
    since: float
    waiting: str = ""
    spinner: Spinner = field(default_factory=lambda: Spinner("dots"))

    def shown(self) -> RenderableType:
        took = line(f"  {duration(time.monotonic() - self.since)}", "faint")
        waiting = line(f"  {self.waiting}") if self.waiting else ()
        doing_so = line(f"  {doing(self.change)}")
        self.spinner.update(text=styled([(*_address(self.change), *doing_so, *waiting, *took)]))
        return self.spinner


class Progress:
    """Shows events on a console: as a live display on a terminal, else as lines. A context manager.

    `tell` is told each end that stays one; it may print on the same console.
    """

    def __init__(self, console: Console, tell: Callable[[Outcome], None]) -> None:
        self._console = console
        self._tell = tell
        self._lock = threading.Lock()
        self._started: dict[int, _InFlight] = {}
        self._said: dict[int, tuple[float, int]] = {}
        # What others print while it is on goes through the gates, which know of it.
        self._live = Live(
            console=console,
            get_renderable=self._in_flight,
            refresh_per_second=8,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def show(self, event: Event) -> None:
        """Show one event; any thread may call it."""
        with self._lock:
            match event:
                case Started(change):
                    self._started[id(change)] = _InFlight(change, time.monotonic())
                    if not self._console.is_terminal:
                        self._print(change, line(doing(change)))
                case Waiting(change, until, done, total, phase) if total:
                    self._waiting(change, f"{phase}, " if phase else "", until, done, total)
                case Finished(outcome):
                    self._started.pop(id(outcome.change), None)
                    if is_final(outcome):
                        self._tell(outcome)
                    elif outcome.failure:
                        self._print(outcome.change, _not_yet(outcome, outcome.failure))

    def _waiting(self, change: Change, phase: str, until: str, done: int, total: int) -> None:
        text = f"{phase}{done} of {total} {until}"
        now = time.monotonic()
        if id(change) in self._started:
            self._started[id(change)].waiting = text
        said_at, said = self._said.get(id(change), (0.0, -1))
        if not self._console.is_terminal and done != said and now - said_at > SECONDS_BETWEEN_LINES:
            self._said[id(change)] = (now, done)
            self._print(change, line(f"waiting: {text}"))

    def _print(self, change: Change, what: Line) -> None:
        self._console.print(styled([(*_address(change), *line("  "), *what)]), soft_wrap=True)

    def _in_flight(self) -> RenderableType:
        return Group(*(in_flight.shown() for in_flight in list(self._started.values())))


def _address(change: Change) -> Line:
    return line(str(change.address), "title")
