"""Prices, asked of AWS in the background: nobody waits for them longer than they say, and nothing fails.

One call for instances on demand, one for volumes, one for Spot; none where the cache has what it takes.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, Protocol

from provisioner.costs.cache import REMEMBERED_S, Cached, Kept, cache_file, read_cache, write_cache
from provisioner.costs.price_list import (
    EC2,
    TENANCIES,
    VOLUME_TYPES,
    Read,
    instance_filters,
    parts,
    read_instances,
    read_spot,
    read_volumes,
    spot_currency,
    volume_filters,
)
from provisioner.costs.prices import ADDRESS_USD, SPOT_PRODUCTS, Prices, keys_of, volume_key
from provisioner.costs.uses import SPOT, ImageFacts, InstanceUse, Use
from provisioner.denial import in_short
from provisioner.errors import AwsError

MAX_PAGES = 20
# How soon what could not be read is asked for again.
ASK_AGAIN_S = 600.0
PAGE = 100
# The local AWS says with each answer that it is one.
LOCAL_HEADER = "x-provisioner-local"
UNREADABLE = "what AWS answered is no price list"
TOO_LATE = "AWS has not answered in time"
# Where the price list can be asked, by the beginning of the region that it is asked about: the nearest.
# https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/using-price-list-query-api.html
_ASKED_IN = (
    ("cn-", "cn-northwest-1"),
    ("us-gov-", ""),
    ("us-iso", ""),
    ("eu-iso", ""),
    ("eusc-", ""),
    ("eu-", "eu-central-1"),
    ("me-", "eu-central-1"),
    ("af-", "eu-central-1"),
    ("il-", "eu-central-1"),
    ("ap-", "ap-south-1"),
)


# Market, usage operation and tenancy of instances.
Make = tuple[str, str, str]
# One way to ask for the prices of keys, and these.
Ask = tuple[Callable[[list[str]], None], list[str]]


class Connection(Protocol):
    """AWS, for reading."""

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """One Describe, Get or List. Raises AwsError."""

    def in_region(self, region: str) -> Connection:
        """The same account in another region."""


def asked_in(region: str) -> str:
    """The region in which the prices of a region are asked for; empty: there is none."""
    return next((where for start, where in _ASKED_IN if region.startswith(start)), "us-east-1")


class PriceLookup:
    """The prices of one region. `source` says whose they are, for the cache; no `folder`: no cache."""

    def __init__(
        self,
        connection: Connection,
        region: str,
        source: str,
        folder: Path | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._connection = connection
        self._region = region
        self._file = cache_file(folder, source, region) if folder else None
        self._clock = clock
        self._lock = threading.Lock()
        self._cached: Cached | None = None
        # When what is not known was asked for, and why it is not known, by key.
        self._asked: dict[str, float] = {}
        self._reasons: dict[str, str] = {}
        self._threads: list[threading.Thread] = []

    def begin(self, uses: Iterable[Use]) -> None:
        """Ask for what these cost, as far as it is not known, and for that of volumes. Returns at once."""
        with self._lock:
            asks = list(self._missing(uses))
        for ask in asks:
            thread = threading.Thread(target=self._run, args=ask, daemon=True)
            self._threads.append(thread)
            thread.start()

    def prices(self, uses: Iterable[Use], wait_s: float) -> Prices:
        """What is known of the prices of these, after `wait_s` seconds at most."""
        uses = list(uses)
        self.begin(uses)
        until = time.monotonic() + wait_s
        for thread in list(self._threads):
            thread.join(max(until - time.monotonic(), 0.0))
        is_late = any(thread.is_alive() for thread in self._threads)
        with self._lock:
            cached, now = self._read(), self._clock()
            amounts = {key: kept.amount for key, kept in cached.prices.items() if kept.is_fresh(key, now)}
            has_addresses = asked_in(self._region) not in ("", "cn-northwest-1")
            reasons = sorted(set(self._reasons.values()))
        if not asked_in(self._region):
            reasons.append(f"AWS has no price list of {self._region}")
        if is_late:
            reasons.append(TOO_LATE)
        return Prices(
            amounts,
            cached.currency,
            cached.made_up,
            ADDRESS_USD if has_addresses and cached.currency == "USD" else None,
            "; ".join(reasons) or None,
        )

    def images(self) -> Mapping[str, ImageFacts]:
        """What earlier plans have seen of images."""
        with self._lock:
            return self._read().images

    def remember(self, images: Mapping[str, ImageFacts]) -> None:
        """Keep what a plan has seen of images, for those that do not look."""
        with self._lock:
            cached = self._read()
            if all(cached.images.get(image) == facts for image, facts in images.items()):
                return
            self._cached = replace(cached, images={**cached.images, **images})
            self._write()

    # --- what to ask for

    def _missing(self, uses: Iterable[Use]) -> Iterator[Ask]:
        """What has to be asked, once each."""
        now, cached = self._clock(), self._read()

        def is_missing(key: str) -> bool:
            kept = cached.prices.get(key)
            is_asked = key in self._asked and 0 <= now - self._asked[key] < ASK_AGAIN_S
            return not is_asked and not (kept and kept.is_fresh(key, now))

        makes: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        for use in uses:
            if isinstance(use, InstanceUse) and any(map(is_missing, keys_of(use))):
                makes[use.market, use.operation, use.tenancy].add(use.type)
        for make, types in makes.items():
            types.update(self._of_before(cached, *make, now))
            self._asked.update(dict.fromkeys(_keys([make], types), now))
        volumes = [volume_key(type_, "gb") for type_ in VOLUME_TYPES]
        if any(map(is_missing, volumes)):
            self._asked.update(dict.fromkeys(volumes, now))
            if asked_in(self._region):
                yield self._ask_volumes, volumes
        spot = {make: makes[make] for make in makes if make[0] == SPOT and make[1] in SPOT_PRODUCTS}
        if spot:
            yield partial(self._ask_spot, spot), [key for make in spot for key in _keys([make], spot[make])]
        listed = {make: makes[make] for make in makes if make[0] != SPOT and make[2] in TENANCIES}
        for together in _on_one_page(listed) if asked_in(self._region) else ():
            for part in parts(sorted(set().union(*together.values()))):
                yield partial(self._ask_instances, list(together), part), _keys(together, part)

    @staticmethod
    def _of_before(cached: Cached, market: str, operation: str, tenancy: str, now: float) -> Iterator[str]:
        """Types of the same make that were asked for lately: members may still have them."""
        for key, kept in cached.prices.items():
            kind, *parts_of_key = key.split("/")
            if kind != "instance" or market == SPOT or parts_of_key[1:] != [operation, tenancy]:
                continue
            if not kept.is_fresh(key, now) and now - kept.at < REMEMBERED_S:
                yield parts_of_key[0]

    # --- asking

    def _run(self, ask: Callable[[list[str]], None], asked: list[str]) -> None:
        try:
            ask(asked)
        except AwsError as error:
            reason = in_short(error)
        except (LookupError, ValueError, TypeError, AttributeError):
            reason = UNREADABLE
        except Exception as error:  # noqa: BLE001  a price is no reason for anything to fail
            reason = type(error).__name__
        else:
            return
        with self._lock:
            self._reasons.update(dict.fromkeys(asked, reason))

    def _ask_instances(self, makes: Collection[Make], types: list[str], asked: list[str]) -> None:
        operations = sorted({operation for _, operation, _ in makes})
        tenancies = sorted({tenancy for *_, tenancy in makes})
        answers = list(self._products(instance_filters(self._region, types, operations, tenancies)))
        read = read_instances(
            [item for answer in answers for item in answer["PriceList"]], operations, tenancies
        )
        self._keep(read, asked, answers)

    def _ask_volumes(self, asked: list[str]) -> None:
        answers = list(self._products(volume_filters(self._region)))
        read = read_volumes([item for answer in answers for item in answer["PriceList"]])
        self._keep(read, asked, answers)

    def _products(self, filters: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
        connection = self._connection.in_region(asked_in(self._region))
        params: dict[str, Any] = {"ServiceCode": EC2, "Filters": filters, "MaxResults": PAGE}
        for _ in range(MAX_PAGES):
            answer = connection.call("pricing", "GetProducts", **params)
            yield answer
            if not answer.get("NextToken"):
                return
            params["NextToken"] = answer["NextToken"]

    def _ask_spot(self, makes: Mapping[Make, Collection[str]], asked: list[str]) -> None:
        # From now on: what has been the price since it changed last, and nothing older.
        now = datetime.fromtimestamp(self._clock(), UTC)
        operations = sorted({operation for _, operation, _ in makes})
        params: dict[str, Any] = {
            "InstanceTypes": sorted(set().union(*makes.values())),
            "ProductDescriptions": [SPOT_PRODUCTS[operation] for operation in operations],
            "StartTime": now,
        }
        answers = []
        for _ in range(MAX_PAGES):
            answers.append(self._connection.call("ec2", "DescribeSpotPriceHistory", **params))
            if not answers[-1].get("NextToken"):
                break
            params["NextToken"] = answers[-1]["NextToken"]
        rows = [row for answer in answers for row in answer["SpotPriceHistory"]]
        reads = [read_spot(rows, operation) for operation in operations]
        amounts = {key: amount for read in reads for key, amount in read.amounts.items()}
        read = Read(amounts, spot_currency(self._region))
        self._keep(read, asked, answers)

    def _keep(self, read: Read, asked: Iterable[str], answers: Iterable[Mapping[str, Any]]) -> None:
        """Remember what was read, and that there is no more of what was asked, here and in the cache."""
        made_up = any(
            LOCAL_HEADER in answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}) for answer in answers
        )
        now = self._clock()
        new = {key: Kept(None, now) for key in asked} | {
            key: Kept(amount, now) for key, amount in read.amounts.items()
        }
        with self._lock:
            # Others may have written meanwhile.
            there = read_cache(self._file) if self._file else Cached()
            mine = self._read()
            currency = read.currency if read.amounts else mine.currency
            if there.made_up != made_up or there.currency != currency:
                there = Cached()
            # Asked again when they are no longer fresh.
            for key in new:
                self._asked.pop(key, None)
                self._reasons.pop(key, None)
            old = {key: kept for key, kept in there.prices.items() if now - kept.at < REMEMBERED_S}
            # What is in another currency is in no sum with this.
            alike = mine.prices if mine.currency == currency else {}
            images = {**there.images, **mine.images}
            self._cached = Cached({**old, **alike, **new}, currency, made_up or mine.made_up, images)
            self._write()

    def _write(self) -> None:
        if self._file and self._cached:
            write_cache(self._file, self._cached)

    def _read(self) -> Cached:
        if self._cached is None:
            self._cached = read_cache(self._file) if self._file else Cached()
        return self._cached


def _use(type_: str, market: str, operation: str, tenancy: str) -> InstanceUse:
    return InstanceUse(type_, market, operation, tenancy)


def _keys(makes: Iterable[Make], types: Iterable[str]) -> list[str]:
    """What the prices of each type of each make are known by."""
    return [key for make, type_ in product(makes, types) for key in keys_of(_use(type_, *make))]


def _on_one_page(makes: Mapping[Make, Collection[str]]) -> list[Mapping[Make, Collection[str]]]:
    """What is asked for with one call: all, where each type of each make is no more than a page; else each
    make for itself."""
    types = set().union(*makes.values())
    operations = {operation for _, operation, _ in makes}
    tenancies = {tenancy for *_, tenancy in makes}
    if len(types) * len(operations) * len(tenancies) <= PAGE:
        return [makes] if makes else []
    return [{make: types} for make, types in makes.items()]
