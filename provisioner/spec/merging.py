"""Layers of a spec, laid over each other: mappings merge by key, everything else replaces.

`!remove` deletes a key. There is nothing else: no expressions, and no lists that are appended to. Each value
keeps the file and the line that it comes from, and those of the values that it took the place of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from typing import Any, NamedTuple

from provisioner.kinds.base import Path
from provisioner.lazy_dataclass import dataclass
from provisioner.spec.document import Document
from provisioner.spec.nodes import REMOVE, TOP, Position

TARGETS = "targets"
# Below the name of a target, `!remove` is about what the target is laid over.
_KEPT_BELOW = 2


class Place(NamedTuple):
    """A place in one of several files."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass
class Layers:
    """The layers so far: the value, and by path the place of each value and key, how each scalar that is no
    text was written, and the places of the values that were there before, the nearest first.

    `merged` are the mappings of which several layers have some keys. `removed` are the paths that a layer
    deleted, and `not_there` those that it would have deleted if they had been there, with their places.
    `anew` are the mappings in targets that a layer gave where a lower one has `!remove`, with its place: of
    what they are laid over, nothing stays. `levels` says by which layer each value is, from the lowest.
    """

    value: dict[str, Any] = field(default_factory=dict)
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    texts: dict[Path, str] = field(default_factory=dict)
    before: dict[Path, tuple[Place, ...]] = field(default_factory=dict)
    merged: set[Path] = field(default_factory=set)
    removed: dict[Path, Place] = field(default_factory=dict)
    not_there: dict[Path, Place] = field(default_factory=dict)
    levels: dict[Path, int] = field(default_factory=dict)
    level: int = 0
    anew: dict[Path, Place] = field(default_factory=dict)

    @staticmethod
    def of(document: Document) -> Layers:
        """One file as the only layer, with what it removes still in it."""

        def placed(positions: Mapping[Path, Position]) -> dict[Path, Place]:
            return {path: Place(document.file, *position) for path, position in positions.items()}

        return Layers(document.value, placed(document.values), placed(document.keys), dict(document.texts))

    def part(self, prefix: Path) -> Layers:
        """The mapping at `prefix` as layers of its own, with paths that begin there."""
        value: Any = self.value
        for step in prefix:
            value = value[step]
        part = Layers(value)
        inside = [(path, path[len(prefix) :]) for path in paths_in(value, prefix)]
        part.values = {own: self.values[path] for path, own in inside if path in self.values}
        part.keys = {own: self.keys[path] for path, own in inside if path in self.keys}
        part.texts = {own: self.texts[path] for path, own in inside if path in self.texts}
        part.before = {own: self.before[path] for path, own in inside if path in self.before}
        part.merged = {own for path, own in inside if path in self.merged}
        part.anew = {own: self.anew[path] for path, own in inside if path in self.anew}
        return part

    def without(self, key: str) -> Layers:
        """The same without a key at the top."""
        gone = set(paths_in(self.value[key], (key,))) if key in self.value else set()

        def rest(places: Mapping[Path, Any]) -> dict[Path, Any]:
            return {path: place for path, place in places.items() if path not in gone}

        return Layers(
            {name: value for name, value in self.value.items() if name != key},
            rest(self.values),
            rest(self.keys),
            rest(self.texts),
            rest(self.before),
            self.merged - gone,
            rest(self.removed),
            rest(self.not_there),
            rest(self.levels),
            self.level,
            rest(self.anew),
        )

    def copied(self) -> Layers:
        """The same, of which nothing is shared that laying another layer over it changes."""
        return Layers(
            _copied(self.value),
            dict(self.values),
            dict(self.keys),
            dict(self.texts),
            dict(self.before),
            set(self.merged),
            dict(self.removed),
            dict(self.not_there),
            dict(self.levels),
            self.level,
            dict(self.anew),
        )

    def lay(self, above: Layers) -> None:
        """Lay another layer over these."""
        self.level += 1
        self._move_up((), above)
        self._merge(self.value, above.value, (), above)

    def _merge(self, low: dict[str, Any], high: Mapping[str, Any], path: Path, above: Layers) -> None:
        for key, value in high.items():
            here = (*path, key)
            is_there = key in low
            if value is REMOVE and not _is_kept(here):
                self._remove(low, key, here, above.values[here])
            elif isinstance(value, dict):
                if here in above.anew:
                    self._remove(low, key, here, above.anew[here])
                if isinstance(low.get(key), dict):
                    self.merged.add(here)
                else:
                    self._forget_below(low.get(key), here)
                    if low.get(key) is REMOVE:
                        self.anew[here] = self.values[here]
                    low[key] = {}
                self._move_up(here, above)
                # Key by key also where nothing is there yet: what is removed there has to be found.
                self._merge(low[key], value, here, above)
            else:
                if is_there:
                    self._forget_below(low[key], here)
                low[key] = _copied(value)
                for inner in paths_in(value, here):
                    self._move_up(inner, above)

    def _remove(self, low: dict[str, Any], key: str, here: Path, by: Place) -> None:
        if key not in low:
            self.not_there[here] = by
            return
        self._forget_below(low.pop(key), here)
        for places in (self.values, self.keys, self.texts, self.before, self.levels):
            places.pop(here, None)
        self.merged.discard(here)
        self.removed[here] = by

    def _move_up(self, path: Path, above: Layers) -> None:
        """Give what is at `path` the place that it has in the layer above."""
        below = (self.values[path], *self.before.get(path, ())) if path in self.values else ()
        if before := (*above.before.get(path, ()), *below):
            self.before[path] = before
        if path in above.merged:
            self.merged.add(path)
        self.levels[path] = self.level
        self.removed.pop(path, None)
        self.texts.pop(path, None)
        for mine, its in ((self.values, above.values), (self.keys, above.keys)):
            if path in its:
                mine[path] = its[path]
        if path in above.texts:
            self.texts[path] = above.texts[path]

    def _forget_below(self, value: Any, here: Path) -> None:
        """Forget all places of a value that is replaced or removed, but for its own."""
        for path in paths_in(value, here):
            if path != here:
                for places in (self.values, self.keys, self.texts, self.before, self.levels):
                    places.pop(path, None)
            self.merged.discard(path)
            self.anew.pop(path, None)

    def document(
        self, file: str, others: Mapping[str, str], text: str, extended: Mapping[str, Place]
    ) -> Document:
        """The layers as the document of the spec `file`. `others` are the texts of the other files by name,
        `extended` where each of them is named."""
        # In the order in which people read it, as the problems are told in it.
        paths = list(paths_in(self.value, ()))
        values = {path: self.values[path] for path in paths if path in self.values}
        files = {path: place.file for path, place in values.items() if place.file != file}
        related = {path: text for path in paths if (text := self._related(path, files.get(path), extended))}
        return Document(
            file,
            self.value,
            {path: Position(place.line, place.column) for path, place in values.items()} or {(): TOP},
            {path: Position(place.line, place.column) for path, place in self.keys.items()},
            self.texts,
            (),
            text,
            False,
            files,
            related,
            {path: str(place) for path, place in self.removed.items()},
            {
                path: str(self.keys[path])
                for path in paths
                if path in self.keys and self.levels.get(path, 0) < self.levels.get(path[:-1], 0)
            },
            others,
        )

    def _related(self, path: Path, other: str | None, extended: Mapping[str, Place]) -> str:
        """What a problem at a path says of other places."""
        told = []
        if path and (before := self.before.get(path)):
            told.append(f"{'merged with' if path in self.merged else 'overrides'} {before[0]}")
        if other and other in extended:
            told.append(f"inherited by {extended[other]}")
        return "; ".join(told)


def paths_in(value: Any, path: Path) -> Iterator[Path]:
    """The path of a value and those of everything in it, in order."""
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths_in(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths_in(inner, (*path, index))


def with_texts(value: Any, change: Callable[[Path, str], str], path: Path = ()) -> Any:
    """A copy of a value with each text in it changed, by its path."""
    if isinstance(value, dict):
        return {key: with_texts(inner, change, (*path, key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [with_texts(inner, change, (*path, index)) for index, inner in enumerate(value)]
    return change(path, value) if isinstance(value, str) else value


def _is_kept(path: Path) -> bool:
    return path[0] == TARGETS and len(path) > _KEPT_BELOW


def _copied(value: Any) -> Any:
    """A value that shares nothing that could be changed with another."""
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value
