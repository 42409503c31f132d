"""Reading AWS: all kinds side by side, then once more for what only the whole picture shows to be needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from provisioner.errors import UnexpectedAnswer, UsageError
from provisioner.kinds.base import Kind, Reader, World
from provisioner.model import Address, Environment, HasArn, Identity, Observed, Seen


class IdentifyingReader(Reader, Protocol):
    """A reader that can say who it is."""

    def identity(self) -> Identity:
        """Whose AWS it is. Raises AwsError."""


def observe(
    environment: Environment,
    reader: IdentifyingReader,
    kinds: Sequence[Kind],
    destroying: bool = False,
    deep: bool = False,
    looking: bool = False,
) -> World:
    """What AWS has of the environment; `deep`: also what takes calls of its own for each thing.

    `looking`: to tell what there is, and not to plan anything.

    Raises AwsError, UnexpectedAnswer, and UsageError when this is another account.
    """
    try:
        return _observe(environment, reader, kinds, destroying, deep, looking)
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        # All that is worked with here was answered by AWS, or by something that is not AWS.
        raise UnexpectedAnswer(error) from error


def _observe(
    environment: Environment,
    reader: IdentifyingReader,
    kinds: Sequence[Kind],
    destroying: bool,
    deep: bool,
    looking: bool,
) -> World:
    identity = None
    if environment.account_id:
        # Asked before anything else, so that a spec for another account sends nothing there.
        identity = reader.identity()
        _check_account(environment, identity)

    def observer(kind: Kind) -> Callable[[], Mapping[Address, Seen]]:
        return lambda: kind.observe(reader, environment, not (destroying or looking))

    seen = _merged(reader.together(*(observer(kind) for kind in kinds)))
    identity = identity or _named_in(seen) or reader.identity()
    world = World(environment, Observed(identity, seen), destroying, deep, looking)

    def closer(kind: Kind) -> Callable[[], Mapping[Address, Seen]]:
        return lambda: kind.look_closer(reader, world)

    closer_seen = reader.together(*(closer(kind) for kind in kinds))
    return world._replace(observed=Observed(identity, _merged(closer_seen)))


def _merged(seen: Sequence[Mapping[Address, Seen]]) -> dict[Address, Seen]:
    return {address: thing for one in seen for address, thing in one.items()}


def _named_in(seen: Mapping[Address, Seen]) -> Identity | None:
    """Whose AWS it is, as the ARN of anything says that is there; asking would be one more call."""
    arns = (thing.arn for thing in seen.values() if isinstance(thing, HasArn) and thing.arn)
    return next((Identity.of_arn(arn) for arn in arns), None)


def _check_account(environment: Environment, identity: Identity) -> None:
    if identity.account_id != environment.account_id:
        raise UsageError(
            f"{environment.source}: the spec is for account {environment.account_id}, "
            f"and these credentials belong to {identity.account_id}",
            "use the credentials of that account (--profile), or correct `account_id`",
        )
