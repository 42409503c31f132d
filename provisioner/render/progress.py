"""What is going on while a plan is carried out: what is in flight, what is done, and how long it took."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from provisioner.apply import Event, Finished, Started, Waiting
from provisioner.model import Action, Again, Change, Outcome, Result
from provisioner.render.words import breakdown, duration

VERBS = {
    Action.CREATE: "creating",
    Action.UPDATE: "updating",
    Action.REPLACE: "replacing",
    Action.DELETE: "deleting",
}
RESULT_STYLES = {
    Result.DONE: "green",
    Result.FAILED: "bold red",
    Result.SKIPPED: "yellow",
    Result.LEFT: "yellow",
}
# Where lines cannot be rewritten, a wait says how far it is only so often.
SECONDS_BETWEEN_LINES = 10.0


def doing(change: Change) -> str:
    """What is being done, in words: `creating 50 instances`."""
    return f"{VERBS[change.action]} {breakdown([change])}"


def _ended(outcome: Outcome) -> Text:
    took = f" after {duration(outcome.seconds)}"
    failure = outcome.failure
    if failure and failure.again is not Again.NO:
        reason = f": {failure.code or failure.message}; looking again"
        return Text.assemble(("not yet", "yellow"), (took, "dim"), reason)
    return Text(outcome.result, RESULT_STYLES[outcome.result]).append(took, "dim")


@dataclass
class _InFlight:
    """One change that is being carried out, and the line that shows it."""

    change: Change
    since: float
    waiting: str = ""
    spinner: Spinner = field(default_factory=lambda: Spinner("dots"))

    def shown(self) -> RenderableType:
        text = Text.assemble(
            (str(self.change.address), "bold"),
            f"  {doing(self.change)}",
            f"  {self.waiting}" if self.waiting else "",
            (f"  {duration(time.monotonic() - self.since)}", "dim"),
        )
        self.spinner.update(text=text)
        return self.spinner


class Progress:
    """Shows events on a console: as a live display on a terminal, else as lines. A context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._started: dict[int, _InFlight] = {}
        self._said: dict[int, tuple[float, int]] = {}
        self._live = Live(
            console=console, get_renderable=self._in_flight, refresh_per_second=8, transient=True
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
                        self._print(change, doing(change))
                case Waiting(change, until, done, total, phase) if total:
                    self._waiting(change, f"{phase}, " if phase else "", until, done, total)
                case Finished(outcome):
                    self._started.pop(id(outcome.change), None)
                    if outcome.result in (Result.DONE, Result.FAILED):
                        self._print(outcome.change, _ended(outcome))

    def _waiting(self, change: Change, phase: str, until: str, done: int, total: int) -> None:
        text = f"{phase}{done} of {total} {until}"
        now = time.monotonic()
        if id(change) in self._started:
            self._started[id(change)].waiting = text
        said_at, said = self._said.get(id(change), (0.0, -1))
        if not self._console.is_terminal and done != said and now - said_at > SECONDS_BETWEEN_LINES:
            self._said[id(change)] = (now, done)
            self._print(change, f"waiting: {text}")

    def _print(self, change: Change, what: str | Text) -> None:
        line = Text.assemble((str(change.address), "bold"), "  ", what)
        self._console.print(line, soft_wrap=True)

    def _in_flight(self) -> RenderableType:
        return Group(*(each.shown() for each in list(self._started.values())))
