"""Importing and deleting key pairs, so that an answer that was lost, or somebody else, does no harm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from provisioner.errors import AwsError, ChangedMeanwhile
from provisioner.execution import ExecutionContext, run_step
from provisioner.kinds.keep import is_kept
from provisioner.kinds.key_pair.observed import ObservedKeyPair, described, describing
from provisioner.kinds.shown import has_tags, wait_until_shown
from provisioner.kinds.tags import tag_list
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Call, CallCount
from provisioner.naming import ENVIRONMENT_TAG, KEEP_TAG

IMPORT, DELETE = "ImportKeyPair", "DeleteKeyPair"
DUPLICATE, NOT_FOUND = "InvalidKeyPair.Duplicate", "InvalidKeyPair.NotFound"
# Seconds before the name of a key pair that was just deleted is asked for again.
PAUSES = (0.2, 1.0, 2.0, 5.0)


@dataclass(frozen=True)
class ImportKeyPair:
    """Import a public key under a name that is free.

    `instead_of` is the id of the key pair that had the name until a moment ago.
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ImportKeyPair.html
    """

    name: str
    public_key: str
    tags: Mapping[str, str]
    instead_of: str | None = None

    def calls(self) -> Iterable[CallCount]:
        return (CallCount("ec2", IMPORT, 1),)

    def foretold(self) -> tuple[Call]:
        tags = [{"ResourceType": "key-pair", "Tags": tag_list(self.tags)}]
        # A blob, which is encoded when it is sent.
        params = {"KeyName": self.name, "PublicKeyMaterial": self.public_key, "TagSpecifications": tags}
        return (Call("ec2", IMPORT, params),)

    def is_done_by(self, there: ObservedKeyPair) -> bool:
        """Whether what has the name now is what this imports, by a call whose answer was lost."""
        is_ours = there.is_of(self.tags[ENVIRONMENT_TAG])
        return is_ours and str(there.public_key) == self.public_key


@run_step.register
def _import(step: ImportKeyPair, context: ExecutionContext) -> None:
    for pause in (*PAUSES, None):
        try:
            context.send(*step.foretold())
            return
        except AwsError as error:
            if error.code != DUPLICATE:
                raise
            there = _look("key-name", step.name, context)
            if there and step.is_done_by(there):
                return
            # EC2 may take a moment to forget the one before.
            if pause is None or (there and there.id != step.instead_of):
                raise
        context.pause(pause)


@dataclass(frozen=True)
class DeleteKeyPair:
    """Delete one key pair, by its id: a name can change hands. What has gone by itself is as it should be.

    Instances keep the key that was put on them at their first boot:
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/delete-key-pair.html
    """

    name: str
    id: str
    environment: str

    def calls(self) -> Iterable[CallCount]:
        return (CallCount("ec2", DELETE, 1),)

    def foretold(self) -> tuple[Call]:
        return (Call("ec2", DELETE, {"KeyPairId": self.id}),)


@run_step.register
def _delete(step: DeleteKeyPair, context: ExecutionContext) -> None:
    there = _look("key-pair-id", step.id, context)
    if there is None:
        return
    if not there.is_of(step.environment):
        raise ChangedMeanwhile(f"{step.name} lost a tag that says whose it is meanwhile: left alone")
    if is_kept(there.tags):
        raise ChangedMeanwhile(f"{step.name} got the tag {KEEP_TAG} meanwhile: left alone")
    try:
        context.send(*step.foretold())
    except AwsError as error:
        if error.code != NOT_FOUND:
            raise


@dataclass(frozen=True)
class AwaitKeyPair:
    """Waits until EC2 shows a key pair with these tags, and without those that were removed (None).

    `other_than` is the id of the one before, where it took its place.
    """

    name: str
    tags: tuple[tuple[str, str | None], ...] = ()
    other_than: str | None = None

    def calls(self) -> Iterable[CallCount]:
        return ()


@run_step.register
def _await(step: AwaitKeyPair, context: ExecutionContext) -> None:
    def is_shown() -> bool:
        there = _look("key-name", step.name, context)
        return there is not None and there.id != step.other_than and has_tags(there.tags, step.tags)

    wait_until_shown(step.name, is_shown, context)


@dataclass(frozen=True)
class AwaitNoKeyPair:
    """Waits until EC2 shows a key pair no more."""

    name: str
    id: str

    def calls(self) -> Iterable[CallCount]:
        return ()


@run_step.register
def _await_end(step: AwaitNoKeyPair, context: ExecutionContext) -> None:
    wait_until_shown(step.name, lambda: _look("key-pair-id", step.id, context) is None, context)


def _look(filter_: str, value: str, context: ExecutionContext) -> ObservedKeyPair | None:
    params = describing(filter_, value)
    operation = params.pop("operation")
    return next(iter(described(context.send(Call("ec2", operation, params)))), None)
