"""Fleets that are to follow their image, because the command line says so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from provisioner.errors import UsageError
from provisioner.kinds.fleet.spec import Fleet
from provisioner.model import Address, Desired, Environment


def refresh_images(environment: Environment, keys: Iterable[str]) -> Environment:
    """The environment with fleets that follow their parameter or lookup. Raises UsageError."""
    fleets = {at.key: fleet for at, fleet in environment.of(Fleet).items()}
    rolled: dict[Address, Desired] = {}
    for key in keys:
        fleet = fleets.get(key)
        if fleet is None:
            have = ", ".join(sorted(fleets)) or "none"
            raise UsageError(f"{environment.source} has no fleet {key}", f"its fleets: {have}")
        if fleet.image.id:
            raise UsageError(
                f"fleet {key} is given its image by id, {fleet.image.id}",
                "change the id in the spec, and apply that",
            )
        rolled[Address("fleet", key)] = replace(fleet, image=replace(fleet.image, update="roll"))
    return replace(environment, resources={**environment.resources, **rolled})
