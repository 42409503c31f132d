"""Breadth first through all states, so that what is found wrong comes with a shortest way to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from tests.model_checking.explorer import cloud as ec2
from tests.model_checking.explorer.applier import Protocol
from tests.model_checking.explorer.cloud import Cloud
from tests.model_checking.explorer.world import Model, Setting, State, undisturbed


@dataclass
class Explored:
    """How much was explored."""

    settings: int = 0
    states: int = 0
    transitions: int = 0
    ends: int = 0

    def add(self, other: Explored) -> None:
        self.settings += other.settings
        self.states += other.states
        self.transitions += other.transitions
        self.ends += other.ends

    def __str__(self) -> str:
        return (
            f"{self.settings} settings, {self.states:,} states, {self.transitions:,} transitions, "
            f"{self.ends:,} clouds to recover from"
        )


class Found(Exception):
    """A way to a state that must not be."""

    def __init__(self, wrong: str, setting: Setting, trace: list[str]) -> None:
        lines = [f"{wrong}", f"  {setting}", *(f"  {at:2}. {text}" for at, text in enumerate(trace, 1))]
        super().__init__("\n".join(lines))
        self.wrong = wrong
        self.trace = trace


def explore(setting: Setting, protocol: Protocol = Protocol()) -> Explored:  # noqa: B008
    """All states of one setting. Raises Found."""
    return _Search(setting, protocol).run()


def explore_all(settings: Iterable[Setting], protocol: Protocol = Protocol()) -> Explored:  # noqa: B008
    """All states of several settings. Raises Found."""
    explored = Explored()
    for setting in settings:
        explored.add(explore(setting, protocol))
    return explored


class _Search:
    def __init__(self, setting: Setting, protocol: Protocol) -> None:
        self.setting = setting
        self.protocol = protocol
        self.model = Model(setting, protocol)
        self.states: list[State] = []
        self.index: dict[State, int] = {}
        self.came_from: list[int] = []
        self.helped_by: list[list[int]] = []
        self.recovered: set[Cloud] = set()

    def run(self) -> Explored:
        most = max(*self.setting.counts, self.setting.there)
        explored = Explored(settings=1)
        ends: list[int] = []
        queue = deque([self._at(self.model.first(), -1)])
        while queue:
            here = queue.popleft()
            state = self.states[here]
            if ec2.alive(state.cloud) > most:
                raise self._found(f"{ec2.alive(state.cloud)} members where {most} are wanted at most", here)
            if state.may_be_over:
                self._recover(here, state.cloud)
            if state.is_over:
                ends.append(here)
            for event in self.model.events(state):
                explored.transitions += 1
                known = len(self.states)
                there = self._at(event.state, here)
                if event.helps:
                    self.helped_by[there].append(here)
                if there == known:
                    queue.append(there)
        self._all_end(ends)
        explored.states = len(self.states)
        explored.ends = len(self.recovered)
        return explored

    def _at(self, state: State, before: int) -> int:
        # Who is called the first does not matter while both want the same.
        alike = len(set(self.setting.counts)) == 1
        key = state._replace(context=tuple(sorted(state.context, key=hash))) if alike else state
        known = self.index.get(key)
        if known is not None:
            return known
        self.index[key] = len(self.states)
        self.states.append(state)
        self.came_from.append(before)
        self.helped_by.append([])
        return len(self.states) - 1

    def _recover(self, here: int, cloud: Cloud) -> None:
        """Once everything is shown, one more apply by either must give its spec, and an empty plan."""
        cloud = ec2.aged(ec2.settled(cloud))
        if cloud in self.recovered:
            return
        self.recovered.add(cloud)
        for applier in self.model.appliers:
            after = undisturbed(cloud, applier, self.protocol)
            if ec2.alive(after) != applier.count:
                wrong = f"{ec2.alive(after)} members after an undisturbed apply of {applier.count}"
                raise self._found(wrong, here)
            if applier.plan(ec2.described(after)).changes:
                raise self._found(
                    f"a plan that is not empty after an undisturbed apply of {applier.count}", here
                )

    def _all_end(self, ends: list[int]) -> None:
        """From every state an end is reached by what goes on by itself; nobody goes round for ever."""
        reached = set(ends)
        queue = deque(ends)
        while queue:
            for before in self.helped_by[queue.popleft()]:
                if before not in reached:
                    reached.add(before)
                    queue.append(before)
        if len(reached) < len(self.states):
            raise self._found(
                "no way to an end", next(i for i in range(len(self.states)) if i not in reached)
            )

    def _found(self, wrong: str, here: int) -> Found:
        trace: list[str] = []
        while here > 0:
            before = self.came_from[here]
            events = self.model.events(self.states[before])
            trace.append(next(event.text() for event in events if event.state == self.states[here]))
            here = before
        return Found(wrong, self.setting, trace[::-1])
