"""A spec as the command line gives it."""

from __future__ import annotations

from typing import NamedTuple

from provisioner.errors import UsageError
from provisioner.visible import path_as_typed


def check_name(name: str) -> None:
    """Raises UsageError for the name of a spec that is empty."""
    if not name.strip():
        raise UsageError("a name of a spec is empty", "a variable that is not set gives one; name a file")


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
