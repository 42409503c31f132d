"""What the local AWS knows beyond moto: a clock, the faults, and per region what moto does not keep.

Not safe for threads by itself: the server holds `World.lock` while a call is executed.
"""

from __future__ import annotations

import heapq
import re
import threading
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.base_backend import AccountSpecificBackend, BackendDict
from moto.core.model_instances import reset_model_data
from moto.ec2.models import ec2_backends
from moto.ec2.models.subnets import Subnet
from moto.iam.models import iam_backends

from local_aws import stock
from local_aws.call import AwsError
from local_aws.clock import Clock
from local_aws.errors import LocalAwsError
from local_aws.settings import Faults


@dataclass
class Member:
    """An instance: moto's object, and what moto does not keep about it."""

    instance: Any
    reservation_id: str
    order: int
    born: float
    tenancy: str = "default"
    group_name: str = ""
    spot_request: str | None = None
    # Why it terminates instead of running, as code and text; nothing: it runs.
    launch_error: str = ""
    # Status checks: when they were or will be through, and since when they fail.
    checked_at: float | None = None
    impaired_since: float | None = None
    # When it booted, and when and how its user data ended or will, where that was decided.
    boots: list[float] = field(default_factory=list)
    user_data_result: tuple[float, str] | None = None
    launch: dict[str, Any] = field(default_factory=dict)
    history: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The instance id."""
        return str(self.instance.id)

    @property
    def state(self) -> str:
        """The name of the state, such as `running`."""
        return str(self.instance.state)

    @property
    def zone(self) -> str:
        """The availability zone."""
        return str(self.instance.placement.zone)

    @property
    def market(self) -> str:
        """`spot` or `on-demand`."""
        return "spot" if self.instance.lifecycle == "spot" else "on-demand"

    @property
    def is_live(self) -> bool:
        """Neither terminated nor on the way there."""
        return self.state not in ("shutting-down", "terminated")


MAX_AUTHORIZED = 100_000
CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
"""The states of an instance, and their codes."""


def set_state(member: Member, name: str) -> None:
    """Sets the state and nothing else."""
    member.instance._state.name = name
    member.instance._state.code = CODES[name]


@dataclass
class Association:
    """A profile associated with an instance. `profile_id` is the id at that moment, whatever comes later."""

    id: str
    instance_id: str
    arn: str
    profile_id: str
    since: float
    at: datetime
    until: float | None = None
    # Whose credentials the instance has by it; see corrections/credentials.py.
    role_id: str = ""


@dataclass(frozen=True)
class ImageSettings:
    """What moto does not keep of an image: ENA, and its volumes as registered (device and `Ebs`)."""

    ena: bool = True
    devices: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class VolumeShape:
    """What of a volume can be modified: GiB, type, IOPS and MiB/s; None: the type has none."""

    size: int
    kind: str
    iops: int | None
    throughput: int | None


@dataclass(frozen=True)
class Modification:
    """A change of a volume: when it started, takes effect (or fails), and is completed."""

    started: float
    applies: float
    completes: float
    original: VolumeShape
    target: VolumeShape
    fails: bool = False
    is_applied: bool = False


@dataclass
class Launch:
    """What a client token stands for: the digest of its parameters and the instances it launched."""

    digest: str
    reservation_id: str
    instance_ids: tuple[str, ...]


class Region:
    """EC2 in one region of an account."""

    def __init__(self, name: str, account: str = DEFAULT_ACCOUNT_ID) -> None:
        self.name = name
        self.account = account
        self.members: dict[str, Member] = {}
        self.associations: dict[str, Association] = {}
        self._active: dict[str, Association] = {}
        self.tokens: dict[tuple[str, str], Launch] = {}
        # Image id -> when it is or was deprecated.
        self.deprecations: dict[str, datetime] = {}
        self.image_settings: dict[str, ImageSettings] = {}
        self.placement_groups: dict[str, dict[str, Any]] = {}
        # Volume id -> its modifications, oldest first.
        self.modifications: dict[str, list[Modification]] = {}
        self.capacity_reservations: dict[str, dict[str, Any]] = {}
        # The ids of instances that look at the tag which says when they end; see corrections/shutdown.py.
        self.watching: set[str] = set()
        # What describes showed of groups and key pairs before each write; see corrections/lag.py.
        self.pasts: dict[str, list[tuple[float, Any]]] = defaultdict(list)
        self._due: list[tuple[float, int, str, str]] = []
        self._orders = 0
        self._seen = 0

    @property
    def backend(self) -> Any:
        """moto's EC2 backend for this region."""
        return ec2_backends[self.account][self.name]

    def image_settings_of(self, image_id: str) -> ImageSettings:
        """What is known of an image beyond moto; public ones have ENA and one volume."""
        return self.image_settings.get(image_id, ImageSettings())

    def adopt(self, now: float) -> None:
        """Takes in instances that moto started by itself, as for CreateFleet."""
        # A backend that nobody has used yet takes a fifth of a second to make.
        if self.name not in ec2_backends[self.account].keys():  # noqa: SIM118  `in` makes it
            return
        reservations = self.backend.reservations
        if len(reservations) == self._seen:
            return
        self._seen = len(reservations)
        for reservation in reservations.values():
            for instance in reservation.instances:
                if instance.id not in self.members:
                    self.add(instance, reservation.id, now)

    def add(self, instance: Any, reservation_id: str, now: float) -> Member:
        """Takes in one instance."""
        self._orders += 1
        instance.ena_support = self.image_settings_of(instance.image_id).ena
        member = Member(instance, reservation_id, self._orders, now)
        self.members[member.id] = member
        return member

    def forget(self, member: Member) -> None:
        """Removes an instance as if it had never been."""
        reservation = self.backend.reservations.get(member.reservation_id)
        if reservation is not None:
            reservation.instances = [item for item in reservation.instances if item is not member.instance]
            if not reservation.instances:
                del self.backend.reservations[member.reservation_id]
                self._seen -= 1
        self.backend.tags.pop(member.id, None)
        del self.members[member.id]

    def schedule(self, at: float, instance_id: str, what: str) -> None:
        """Notes that `what` happens to an instance at a time; see `due`."""
        self._orders += 1
        heapq.heappush(self._due, (at, self._orders, instance_id, what))

    def due(self, now: float) -> Iterator[tuple[float, str, str]]:
        """What is due, in order of time: when, instance id and what happens to it."""
        while self._due and self._due[0][0] <= now:
            at, _, instance_id, what = heapq.heappop(self._due)
            yield at, instance_id, what

    def association_of(self, instance_id: str) -> Association | None:
        """The active association of an instance."""
        return self._active.get(instance_id)

    def associate(self, association: Association) -> None:
        """Makes an association the active one of its instance."""
        self.associations[association.id] = association
        self._active[association.instance_id] = association

    def dissociate(self, association: Association, now: float) -> None:
        """Ends an association, if it has not ended."""
        if association.until is None:
            association.until = now
            del self._active[association.instance_id]


class World:
    """All regions of an account, its IAM, and the clock and the faults that all accounts have."""

    def __init__(self, account: str = DEFAULT_ACCOUNT_ID, first: World | None = None) -> None:
        self.lock: threading.RLock = first.lock if first else threading.RLock()
        self.clock: Clock = first.clock if first else Clock()
        self.faults: Faults = first.faults if first else Faults()
        self.account = account
        self._first = first or self
        # Of the call that is being answered: each partition has an IAM of its own.
        self.partition = "aws"
        self._clear()

    def _clear(self) -> None:
        self.regions: dict[str, Region] = {}
        # Role id -> when it was made; for propagation to trust policies.
        self.role_made: dict[str, float] = {}
        # Profile id -> when it was made, and when it last got its role; for propagation to EC2.
        self.profile_made: dict[str, float] = {}
        self.role_added: dict[str, float] = {}
        # Token buckets by action and region; see corrections/limits.py.
        self.buckets: dict[str, Any] = {}
        # Whether the service-linked role of Spot is there, without which no Spot Instance starts.
        self.has_spot_role = False
        # What policies were asked about, oldest first; see iam/gatekeeper.py.
        self.authorized: deque[dict[str, Any]] = (
            deque(maxlen=MAX_AUTHORIZED) if self._first is self else self._first.authorized
        )
        # Access key id -> its account, also after it was deleted; see corrections/access_keys.py.
        self.key_accounts: dict[str, str] = {} if self._first is self else self._first.key_accounts
        # The other accounts that somebody has called.
        self._others: dict[str, World] = {}
        # What IAM of a partition held before each write within the lag: (when, (roles, profiles)).
        self.iam_history: dict[str, list[tuple[float, Any]]] = defaultdict(list)

    def set_faults(self, faults: Faults) -> None:
        """Replaces the faults; token buckets are full again."""
        self.faults = faults
        self.buckets.clear()
        for other in self._others.values():
            other.set_faults(faults)

    def of(self, account: str) -> World:
        """Another account, which is empty until somebody calls it."""
        if account == self._first.account:
            return self._first
        others = self._first._others
        if account not in others:
            others[account] = World(account, self._first)
        return others[account]

    def account_of(self, access_key: str) -> str:
        """Whose account a call with this access key is for.

        Keys that were made here are of the account of their user or role. A key of twelve digits, of which
        AWS has none, is the root user's of that account; any other is that of the first.
        """
        if re.fullmatch("[0-9]{12}", access_key):
            return access_key
        for account, partitions in list(dict.items(iam_backends)):
            # Not `partitions[...]`, which would make what nobody has used yet.
            if any(access_key in backend.access_keys for backend in dict.values(partitions)):
                return str(account)
        return self.key_accounts.get(access_key, self._first.account)

    @property
    def iam(self) -> Any:
        """moto's IAM backend of the partition."""
        return iam_backends[self.account][self.partition]

    def region(self, name: str) -> Region:
        """EC2 in a region. Raises AwsError for one that does not exist: AWS has no such address either."""
        if name not in self.regions:
            if name not in ec2_backends[self.account].regions:
                raise AwsError("InvalidRegion", f"There is no region {name}")
            if not stock.is_known(name):
                stock.add_zones_and_types(name)
                stock.add_images(name, self.account, Region(name, self.account).backend)
            self.regions[name] = Region(name, self.account)
        region = self.regions[name]
        region.adopt(self.clock.now())
        return region

    def member(self, instance_id: str) -> tuple[Region, Member]:
        """An instance and its region, wherever it is. Raises LocalAwsError if there is none with this id."""
        for region in self.regions.values():
            if instance_id in region.members:
                return region, region.members[instance_id]
        raise LocalAwsError(f"there is no instance {instance_id}")

    def reset(self) -> None:
        """Empties all accounts, and makes moto let go of what was in them."""
        for backends in list(BackendDict._instances):
            for account in backends.values():
                account.clear()
            backends.clear()
        BackendDict._instances.clear()
        # Every object that moto ever made, for its dashboard; and what its caches have as keys.
        reset_model_data()
        AccountSpecificBackend._generate_regions.cache_clear()
        Subnet._base_avail_ip_iterator.cache_clear()
        self._clear()
