"""Whether the account may run as many vCPUs as the fleets of a spec need, by family of types and by market.

Only what the spec itself needs is counted: what else the account runs there is not looked for. Quotas are
raised on request, and by AWS itself, so that this is said and nothing is refused for it. Nobody waits for an
answer: it is asked for beside the other reads. A value that suffices is believed for a month, as a quota is
lowered by hand alone, and until a launch is refused for one; before anything is said of one that does not,
it is asked for.
https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html
https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from provisioner.denial import in_short
from provisioner.errors import AwsError
from provisioner.kinds.base import Keeping, Reader, kept_name
from provisioner.kinds.fleet.call_rules import KEPT_QUOTAS, QUOTA_NUMBERS, quota_for
from provisioner.kinds.fleet.observed import ObservedFleet
from provisioner.kinds.fleet.read import aside
from provisioner.kinds.fleet.read.aside import TOO_LATE, Aside
from provisioner.kinds.fleet.read.types import describe_types, types_of
from provisioner.kinds.fleet.spec import Fleet
from provisioner.model import Address

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


class Shortage(NamedTuple):
    """More vCPUs than a quota has."""

    needed: int
    value: float


class QuotaLookup:
    """The quotas of those fleets that are to run more than they do, asked for in the background.

    `account_id` says whose they are, for what is kept of them.
    """

    def __init__(
        self,
        reader: Reader,
        fleets: Mapping[Address, Fleet],
        observed: Mapping[Address, ObservedFleet],
        account_id: str,
    ) -> None:
        self._reader = reader
        self._kept_as = kept_name(KEPT_QUOTAS, account_id)
        self._fleets = fleets
        self._quotas = {at: name for at, fleet in fleets.items() if (name := quota_for(fleet))}
        self._growing = tuple(
            at for at in self._quotas if _grows(fleets[at], observed.get(at) or ObservedFleet())
        )
        names = sorted({self._quotas[at] for at in self._growing})
        self._asked = {name: Aside(partial(self._shortage, name)) for name in names}

    def told(
        self, observed: Mapping[Address, ObservedFleet], wait_s: float | None = None
    ) -> dict[Address, ObservedFleet]:
        """The fleets once more, with what is said of quotas: of each one once, at the first fleet that grows.

        What is not there so many seconds from now, else in a moment, was not checked.
        """
        told = dict(observed)
        failed: dict[str, None] = {}
        until = time.monotonic() + (aside.GRACE_S if wait_s is None else wait_s)
        for name, asked in self._asked.items():
            try:
                shortage = asked.result(max(until - time.monotonic(), 0.0))
            except TimeoutError:
                failed[TOO_LATE] = None
            except AwsError as error:
                failed[in_short(error)] = None
            except Exception as error:  # noqa: BLE001  what only advises is no reason for anything to fail
                failed[type(error).__name__] = None
            else:
                first = next(at for at in self._growing if self._quotas[at] == name)
                warnings = [_in_words(name, shortage)] if shortage else []
                told[first] = replace(told[first], warnings=(*told[first].warnings, *warnings))
        if failed:
            first = self._growing[0]
            text = f"whether the quotas of vCPUs suffice was not checked: {'; '.join(failed)}"
            told[first] = replace(told[first], unchecked=(*told[first].unchecked, text))
        return told

    def _shortage(self, name: str) -> Shortage | None:
        """By how much a quota does not suffice for the fleets of the spec. Raises AwsError."""
        members = [self._fleets[at] for at, of_fleet in self._quotas.items() if of_fleet == name]
        keeping = self._reader if isinstance(self._reader, Keeping) else None
        code = QUOTA_NUMBERS[name]
        kept = keeping.kept(self._kept_as).get(code) if keeping else None
        if kept is not None and _fits(members, kept):
            return None
        asked = {"ServiceCode": "ec2", "QuotaCode": code}
        value = float(self._reader.call("service-quotas", "GetServiceQuota", **asked)["Quota"]["Value"])
        if keeping:
            keeping.keep(self._kept_as, {code: value})
        if _fits(members, value):
            return None
        vcpus = _vcpus(self._reader, self._fleets.values())
        needed = sum(
            fleet.count * min((vcpus.get(type_, 0) for type_ in fleet.instance_types), default=0)
            for fleet in members
        )
        return Shortage(needed, value) if needed > value else None


def _in_words(name: str, shortage: Shortage) -> str:
    return (
        f'{shortage.needed} vCPUs are needed of the quota "{name}", and this account has '
        f"{shortage.value:g} ({QUOTA_NUMBERS[name]}), for all that runs: ask for more in Service Quotas "
        "(Amazon EC2), or ask for less here"
    )


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
