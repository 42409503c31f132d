"""Whether the account may run as many vCPUs as the fleets of a spec need, by family of types and by market.

Only what the spec itself needs is counted: what else the account runs there is not looked for. Quotas are
raised on request, and by AWS itself, so that this is said and nothing is refused for it. Nobody waits long
for an answer: it is asked for beside the other reads.
https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html
https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html
"""

from __future__ import annotations

import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from provisioner.errors import AwsError
from provisioner.kinds.base import Reader
from provisioner.kinds.fleet.call_rules import QUOTA_NUMBERS, quota_for
from provisioner.kinds.fleet.observed import ObservedFleet
from provisioner.kinds.fleet.read.types import describe_types, types_of
from provisioner.kinds.fleet.spec import Fleet
from provisioner.model import Address

WAIT_S = 0.5
_TOO_LATE = "AWS has not answered in time"
# Old families with sizes that have more than these have elsewhere.
_UNEVEN = frozenset({"c1", "c4", "d2"})
_SIZE = re.compile(r"(?:metal-(?P<metal>[0-9]+)xl|(?P<times>[0-9]*)xlarge|nano|micro|small|medium|large)")


def most_vcpus(type_: str) -> int | None:
    """As many vCPUs as a type of this size has at most; None: its name does not tell."""
    family, _, name = type_.partition(".")
    size = _SIZE.fullmatch(name)
    if size is None or family in _UNEVEN:
        return None
    if size["metal"]:
        return 4 * int(size["metal"])
    return 2 if size["times"] is None else 4 * int(size["times"] or 1)


class QuotaLookup:
    """The quotas of those fleets that are to run more than they do, asked for in the background."""

    def __init__(
        self, reader: Reader, fleets: Mapping[Address, Fleet], observed: Mapping[Address, ObservedFleet]
    ) -> None:
        self._reader = reader
        self.quotas = {at: name for at, fleet in fleets.items() if (name := quota_for(fleet))}
        self.growing = tuple(
            at for at in self.quotas if _grows(fleets[at], observed.get(at) or ObservedFleet())
        )
        self.values: dict[str, float] = {}
        self._failed: dict[str, None] = {}
        names = sorted({self.quotas[at] for at in self.growing})
        self._threads = [threading.Thread(target=self._ask, args=(name,), daemon=True) for name in names]
        for thread in self._threads:
            thread.start()

    def wait(self, seconds: float) -> tuple[str, ...]:
        """Why quotas are not known that were asked for, after so long at most."""
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0.0))
        late = [_TOO_LATE] if any(thread.is_alive() for thread in self._threads) else []
        return (*tuple(self._failed), *late)

    def _ask(self, name: str) -> None:
        try:
            code = QUOTA_NUMBERS[name]
            answer = self._reader.call("service-quotas", "GetServiceQuota", ServiceCode="ec2", QuotaCode=code)
            self.values[name] = float(answer["Quota"]["Value"])
        except AwsError as error:
            self._failed[f"{error.service} {error.operation}: {error.code}"] = None
        except Exception as error:  # noqa: BLE001  what only advises is no reason for anything to fail
            self._failed[type(error).__name__] = None


def with_quotas(
    reader: Reader,
    fleets: Mapping[Address, Fleet],
    observed: Mapping[Address, ObservedFleet],
    lookup: QuotaLookup,
    wait_s: float = WAIT_S,
) -> dict[Address, ObservedFleet]:
    """The fleets once more, with what is said of quotas: of each one once, at the first fleet that grows."""
    told = dict(observed)
    if not lookup.growing:
        return told
    failed = list(lookup.wait(wait_s))
    members: dict[str, list[Address]] = defaultdict(list)
    for at, name in lookup.quotas.items():
        members[name].append(at)
    # A copy: an answer may come any time.
    values = dict(lookup.values)
    in_doubt = any(not _fits([fleets[at] for at in members[name]], value) for name, value in values.items())
    vcpus: Mapping[str, int] = {}
    if in_doubt:
        try:
            vcpus = _vcpus(reader, fleets.values())
        except AwsError as error:
            failed.append(f"{error.service} {error.operation}: {error.code}")
    for name, value in values.items():
        needed = sum(
            fleets[at].count * min((vcpus.get(type_, 0) for type_ in fleets[at].instance_types), default=0)
            for at in members[name]
        )
        if needed > value:
            first = next(at for at in lookup.growing if lookup.quotas[at] == name)
            text = (
                f'{needed} vCPUs are needed of the quota "{name}", and this account has {value:g} '
                f"({QUOTA_NUMBERS[name]}), for all that runs: ask for more in Service Quotas "
                "(Amazon EC2), or ask for less here"
            )
            told[first] = replace(told[first], warnings=(*told[first].warnings, text))
    if failed:
        first = lookup.growing[0]
        text = f"whether the quotas of vCPUs suffice was not checked: {'; '.join(failed)}"
        told[first] = replace(told[first], unchecked=(*told[first].unchecked, text))
    return told


def _grows(fleet: Fleet, observed: ObservedFleet) -> bool:
    """Whether more is to run than does, or of another type."""
    types = {member.type for member in observed.members}
    return len(observed.members) < fleet.count or not types <= set(fleet.instance_types)


def _fits(fleets: Iterable[Fleet], value: float) -> bool:
    """Whether a quota suffices, whatever types of these sizes have."""
    most = 0
    for fleet in fleets:
        sizes = [most_vcpus(type_) for type_ in fleet.instance_types]
        if fleet.count and None in sizes:
            return False
        most += fleet.count * max(size or 0 for size in sizes)
    return most <= value


def _vcpus(reader: Reader, fleets: Iterable[Fleet]) -> dict[str, int]:
    """How many vCPUs the types of fleets have; of those that there are."""
    shown = describe_types(reader, types_of(fleets))
    return {name: int(raw.get("VCpuInfo", {}).get("DefaultVCpus", 0)) for name, raw in shown.items()}
