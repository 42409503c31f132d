"""A spec as the command line gives it."""

from __future__ import annotations

from typing import NamedTuple

from provisioner.visible import path_as_typed


class SpecFile(NamedTuple):
    """A spec as the command line gives it, the folder that the files it names have to be below, and which of
    its targets is meant."""

    path: str
    root: str | None = None
    target: str | None = None

    @property
    def words(self) -> list[str]:
        """The words by which a command line gives the same."""
        root = ["--root", self.root] if self.root else []
        return [path_as_typed(self.path), *(["--target", self.target] if self.target else []), *root]
