"""Reading AWS: all kinds side by side, then once more for what only the whole picture shows to be needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from provisioner.errors import UnexpectedAnswer, UsageError
from provisioner.kinds.base import AnyKind, Reader, World
from provisioner.model import Address, Environment, Identity, Observation, Observed, TagIndex


def observe(
    environment: Environment,
    reader: Reader,
    kinds: Sequence[AnyKind],
    destroying: bool = False,
    deep: bool = False,
    looking: bool = False,
    beside: Callable[[], None] = lambda: None,
) -> World:
    """What AWS has of the environment; `deep`: also what takes calls of its own for each thing.

    `looking`: to tell what there is, and not to plan anything. `beside` is called with the first reads, once
    this is known to be the right account: it begins what nobody waits for.

    Raises AwsError, UnexpectedAnswer, and UsageError when this is another account.
    """
    try:
        return _observe(environment, reader, kinds, destroying, deep, looking, beside)
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        # All that is worked with here was answered by AWS, or by something that is not AWS.
        raise UnexpectedAnswer(error) from error


def _observe(
    environment: Environment,
    reader: Reader,
    kinds: Sequence[AnyKind],
    destroying: bool,
    deep: bool,
    looking: bool,
    beside: Callable[[], None],
) -> World:
    if destroying or deep:
        # What goes is looked at itself, and so is everything by whoever looks deep.
        environment = replace(environment, tag_index=TagIndex.NEVER)
    identity = None
    if environment.account_id:
        # Asked before anything else, so that a spec for another account sends nothing there.
        identity = reader.identity()
        _check_account(environment, identity)

    launching = not (destroying or looking)
    reads = [partial(kind.observe, reader, environment, launching) for kind in kinds]

    def begin() -> Mapping[Address, Observed]:
        beside()
        return {}

    observed = _merged(reader.parallel(*reads, begin))
    identity = identity or _named_in(observed) or reader.identity()
    now = reader.now()
    world = World(environment, Observation(identity, observed), destroying, deep, looking, now)
    for kind in kinds:
        resources = {**world.environment.resources, **kind.resolve(world)}
        world = world._replace(environment=replace(world.environment, resources=resources))

    details = reader.parallel(*(partial(kind.observe_details, reader, world) for kind in kinds))
    return world._replace(observation=Observation(identity, _merged(details)))


def _merged(observed: Sequence[Mapping[Address, Observed]]) -> dict[Address, Observed]:
    return {address: thing for one in observed for address, thing in one.items()}


def _named_in(observed: Mapping[Address, Observed]) -> Identity | None:
    """Whose AWS it is, as the ARN of anything says that is there; asking would be one more call."""
    arns = (thing.arn for thing in observed.values() if thing.arn)
    return next((Identity.of_arn(arn) for arn in arns), None)


def _check_account(environment: Environment, identity: Identity) -> None:
    if identity.account_id != environment.account_id:
        raise UsageError(
            f"{environment.source}: the spec is for account {environment.account_id}, "
            f"and these credentials belong to {identity.account_id}",
            "use the credentials of that account (--profile), or correct `account_id`",
        )
