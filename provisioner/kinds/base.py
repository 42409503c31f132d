"""The contract of a kind: everything the core asks of it. A new kind implements this and joins `KINDS`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

from provisioner.model import Address, Desired, Environment, Findings, Identity, Observation, Observed
from provisioner.retry import CallRules
from provisioner.rights import Place, Purpose, Statement

Path = tuple[str | int, ...]
T = TypeVar("T")
U = TypeVar("U")
D = TypeVar("D", bound=Desired)
Ob = TypeVar("Ob", bound=Observed)


class Entry(Protocol):
    """One entry of a section of the spec while it is being read. Paths are relative to the entry."""

    environment: str
    region: str
    tags: Mapping[str, str]
    expires: str | None
    # Whether what the files hold that the spec names matters: not to whoever only looks, extends or destroys.
    needs_contents: bool

    def problem(self, path: Path, message: str, hint: str | None = None) -> None:
        """Report something wrong at `path`; reading goes on, so that all problems are told at once."""

    def common_tag_problem(self, key: str, message: str, hint: str | None = None) -> None:
        """Report something wrong with one of the environment's own tags; the same is told once."""

    def read_file(self, path: Path, name: str) -> bytes | None:
        """The content of the file that the spec names at `path`, relative to the folder of the spec, or of
        what it extends, where that names it.

        None when it cannot be read, which has then been reported if contents are needed.
        """

    def read_json(self, path: Path, name: str) -> Any:
        """What such a file holds as JSON; problems below `path` are then told at their place in that file.

        None when it cannot be read, and when it holds `null`, which has been reported if contents are needed.
        """

    def beside(self, path: Path, name: str) -> str:
        """The file that the spec names at `path`, relative to the spec's folder, whatever file names it."""

    def check_as_written(self, path: Path, value: Any) -> None:
        """Report what is no text in `value`, which is at `path`, and would be sent otherwise than written."""

    def has(self, section: str, key: str) -> bool:
        """Whether the named section of the spec has this key."""

    def check_reference(self, path: Path, section: str, key: str) -> None:
        """Report at `path` a key that the named section of the spec does not have."""


class Reader(Protocol):
    """AWS, for reading only: it has no method that writes."""

    def identity(self) -> Identity:
        """Whose AWS it is. Raises AwsError."""

    def now(self) -> datetime:
        """What time it is, by AWS's clock once it has answered anything."""

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """One Describe, Get or List; all else is refused. Raises AwsError."""

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[Any]:
        """All items that the pages of an operation hold under `key`. Raises AwsError."""

    def answers(self, operation: str) -> list[dict[str, Any]]:
        """All answers that this run had to one operation that writes, oldest first."""

    def parallel(self, *reads: Callable[[], T]) -> list[T]:
        """The results of functions without arguments, run side by side, in their order."""

    def in_region(self, region: str) -> Reader:
        """The same account in another region."""


@runtime_checkable
class Keeping(Protocol):
    """A reader that keeps numbers from one run to the next, where that is wanted; else it has none."""

    def kept(self, name: str) -> Mapping[str, float]:
        """What was kept under this name lately, by key, of the AWS and region that this reads."""

    def keep(self, name: str, numbers: Mapping[str, float]) -> None:
        """Keep these as well."""

    def forget(self, name: str) -> None:
        """Keep nothing more under this name, so that the next one asks anew."""


def kept_name(what: str, account_id: str) -> str:
    """The name under which numbers of an account are kept: `quotas of 123456789012`."""
    return f"{what} of {account_id}"


def forget_kept(reader: Reader, what: str, account_id: str) -> None:
    """Forget numbers of an account that AWS has disproved, so that the next plan asks anew."""
    if isinstance(reader, Keeping):
        reader.forget(kept_name(what, account_id))


@runtime_checkable
class Sharing(Protocol):
    """A reader whose answers are for several environments."""

    def share(self, key: str, make: Callable[[], T]) -> T:
        """What is not read, and is made once for all of them: by whoever asks for it first."""


def both(reader: Reader, one: Callable[[], T], other: Callable[[], U]) -> tuple[T, U]:
    """The results of two reads of different types, run side by side."""
    reads: tuple[Callable[[], Any], ...] = (one, other)
    first, second = reader.parallel(*reads)
    return first, second


class World(NamedTuple):
    """What a kind may look at while it compares: the whole spec and all that was observed.

    `deep`: also what takes calls of its own for each thing. `looking`: to tell what there is, and nothing
    more, so that what only a change needs is not looked up. `now` is when it was looked.
    """

    environment: Environment
    observation: Observation
    destroying: bool = False
    deep: bool = False
    looking: bool = False
    now: datetime = datetime(1970, 1, 1, tzinfo=UTC)

    @property
    def identity(self) -> Identity:
        return self.observation.identity

    def desired(self, address: Address) -> Desired | None:
        """What is to be there; when all is destroyed, nothing."""
        return None if self.destroying else self.environment.resources.get(address)

    def observed(self, address: Address) -> Observed | None:
        return self.observation.resources.get(address)

    def desired_as(self, type_: type[T], address: Address) -> T | None:
        """What is to be there at an address of the kind whose type this is."""
        thing = self.desired(address)
        return None if thing is None else _as(type_, thing)

    def observed_as(self, type_: type[T], address: Address) -> T | None:
        """What there is at an address of the kind whose type this is."""
        thing = self.observed(address)
        return None if thing is None else _as(type_, thing)

    def referred_to(self, type_: type[T], address: Address) -> T:
        """What an entry of the spec refers to: the spec has it, as `check_reference` has seen to."""
        return _as(type_, self.environment.resources[address])

    def desired_of(self, type_: type[T]) -> Mapping[Address, T]:
        """All of one type that is to be there."""
        return {} if self.destroying else self.environment.of(type_)

    def observed_of(self, type_: type[T]) -> Mapping[Address, T]:
        """All of one type that was observed."""
        return self.observation.of(type_)


def _as(type_: type[T], thing: object) -> T:
    if not isinstance(thing, type_):
        raise TypeError(f"{type(thing).__name__} is no {type_.__name__}")
    return thing


class Kind(Protocol[D, Ob]):
    """One kind of thing, by the types of what a spec asks for and of what AWS has: Kind[Role, ObservedRole].

    Methods that take a Reader read AWS; all others are pure.

    `is_of_iam`: its things are IAM's, which takes fewer tags than EC2 does. `explanations`: sentences about
    its fields by their dotted paths, for the schema, and the AWS document that each is from. `call_rules`:
    what is known of its calls, and of the errors that they are answered with.
    """

    name: str
    section: str
    is_of_iam: bool
    call_rules: CallRules
    explanations: Mapping[str, tuple[str, str]] = MappingProxyType({})

    def parse(self, key: str, raw: Mapping[str, Any], entry: Entry) -> D:
        """The entry `raw`, which satisfies the kind's schema, as a value.

        What a schema cannot say is reported to `entry`; what is returned then is not used.
        """

    def check(self, entries: Mapping[Address, D]) -> Iterable[tuple[Address, Path, str]]:
        """Problems between the entries of this kind: address, path within the entry, message."""

    def observe(self, reader: Reader, environment: Environment, launching: bool) -> Mapping[Address, Ob]:
        """What AWS has of this kind: all that the environment owns, and whoever holds the names it wants.

        `launching`: something may be launched. What only that needs is not looked up otherwise.
        """

    def observe_details(self, reader: Reader, world: World) -> Mapping[Address, Ob]:
        """What else `compare` needs, now that everything was observed; all of this kind, once more."""

    def resolve(self, world: World) -> Mapping[Address, Desired]:
        """What the spec asks for at some addresses, of any kind, now that it is known what there is.

        For what the spec leaves open until then; most kinds leave nothing open.
        """
        return {}

    def compare(self, address: Address, desired: D | None, observed: Ob | None, world: World) -> Findings:
        """What to do so that AWS has what the spec says at one address."""

    def permissions(self, environment: Environment, place: Place, purpose: Purpose) -> Iterable[Statement]:
        """What a deployer has to be allowed for all of this kind in a spec, and no more.

        To plan takes what reads, and to apply what writes beside that; to destroy takes its own reads and
        writes. Where the spec has nothing of this kind, it is what is asked all the same.
        """

    def describe(self, desired: D, observed: Ob | None, world: World) -> Mapping[str, Any]:
        """What the spec asks for, as data: its fields, absent ones too."""

    def status(
        self, address: Address, desired: D | None, observed: Ob | None, world: World
    ) -> Mapping[str, Any]:
        """What there is at one address: JSON data with `state`, and with `members` where it has any."""


# A kind for whoever does not look inside what it gives and takes: the core.
AnyKind = Kind[Any, Any]
