"""The parts of ours that user data gets: boot hooks, which cloud-init runs early in each boot.

Their text is the same for every fleet and for ever, so nothing of a plan changes what is launched.
https://docs.cloud-init.io/en/latest/explanation/format.html#cloud-boothook
"""

from __future__ import annotations

from functools import cache
from importlib import resources

from provisioner.kinds.fleet.spec import CLOUD_INIT, Fleet
from provisioner.kinds.fleet.user_data.composing import compose

EXPIRES, READY = "expires", "ready"


def part_names(fleet: Fleet) -> tuple[str, ...]:
    """The parts that user data of the fleet's new members has, in their order."""
    expires = (EXPIRES,) if fleet.expires is not None else ()
    return (*expires, *((READY,) if fleet.ready == CLOUD_INIT else ()))


def asked_by(fleet: Fleet) -> tuple[str, ...]:
    """What of a spec asks for the parts that the fleet has."""
    said = {EXPIRES: "expires", READY: "ready: cloud_init"}
    return tuple(said[name] for name in part_names(fleet))


def need_cloud_init(fleet: Fleet) -> str:
    """Who needs cloud-init, as a sentence: "`expires` and `ready: cloud_init` need cloud-init"; or empty."""
    asked = asked_by(fleet)
    named = " and ".join(f"`{key}`" for key in asked)
    return f"{named} need{'s' if len(asked) == 1 else ''} cloud-init" if asked else ""


def user_data_to_send(fleet: Fleet) -> bytes:
    """The user data that members of the fleet are launched with."""
    return compose_with(fleet.user_data, *part_names(fleet))


def compose_with(user_data: bytes, *names: str) -> bytes:
    """The user's own user data with parts of ours in front of it. It may be larger than EC2 takes."""
    return compose(user_data, {f"provisioner-{name}": script(name) for name in names})


@cache
def script(name: str) -> bytes:
    """The boot hook of this name, as it is sent."""
    return resources.files(__package__).joinpath("scripts", f"{name}.sh").read_bytes()
