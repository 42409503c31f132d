"""Waiting until AWS shows what was just done, so that the next plan shows nothing.

"The ... describe operations ... eventually reflect the change":
https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from provisioner.errors import NotShownYet
from provisioner.execution import ExecutionContext
from provisioner.model import FieldChange

# Seconds before looking again, the last one again and again.
PAUSES_S = (0.5, 1.0, 2.0)
# How long it is looked before all is planned anew: somebody else may have changed it meanwhile.
MAX_S = 60.0


def wait_until_shown(
    what: str, is_shown: Callable[[], bool], context: ExecutionContext, service: str = "EC2"
) -> None:
    """Looks until it is shown; most times once. Raises NotShownYet, AwsError, and Interrupted."""
    waited, round_ = 0.0, 0
    while not is_shown():
        if waited >= MAX_S:
            raise NotShownYet(
                f"{what} was changed, and {service} does not show that yet",
                "apply again in a few minutes; nothing is done twice",
            )
        context.tell(f"waiting until {service} shows it")
        pause = PAUSES_S[min(round_, len(PAUSES_S) - 1)]
        context.pause(pause)
        waited, round_ = waited + pause, round_ + 1


def wanted_tags(changes: tuple[FieldChange, ...] | list[FieldChange]) -> tuple[tuple[str, str | None], ...]:
    """The tags that some changes set, and those that they remove (None)."""
    return tuple((change.path.removeprefix("tags."), change.after) for change in changes)


def has_tags(tags: Mapping[str, str], wanted: tuple[tuple[str, str | None], ...]) -> bool:
    """Whether these are there as wanted; what a moment of this run decides is there at all."""
    return all(
        tags.get(key) == value if type(value) in (str, type(None)) else key in tags for key, value in wanted
    )
