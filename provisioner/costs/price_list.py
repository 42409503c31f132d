"""AWS's answers about prices, read: the Price List of EC2, and the history of Spot prices.

https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSpotPriceHistory.html
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from provisioner.costs.prices import SPOT_PRODUCTS, instance_key, spot_key, volume_key
from provisioner.lazy_dataclass import dataclass

EC2 = "AmazonEC2"
# As products of the price list have it.
TENANCIES = {"default": "Shared", "dedicated": "Dedicated"}
VOLUME_TYPES = ("gp2", "gp3", "io1", "io2", "sc1", "st1", "standard")
# What the value of a filter takes.
MAX_VALUE = 1024
MIB_A_GIB = 1024
# More digits than AWS has ever written, so that nobody's answer takes long to add up.
MAX_DIGITS = 30


@dataclass(frozen=True)
class Read:
    """Amounts by key, and the currency that they are in."""

    amounts: Mapping[str, Decimal]
    currency: str = "USD"


def instance_filters(
    region: str, types: Iterable[str], operations: Sequence[str], tenancies: Sequence[str]
) -> list[dict[str, str]]:
    """Filters that leave one product for each of these types, operations and tenancies, as they are billed on
    demand."""
    return [
        *_exact({"regionCode": region, "capacitystatus": "Used"}),
        _one_of("operation", operations),
        _one_of("tenancy", [TENANCIES[tenancy] for tenancy in tenancies]),
        _any_of("instanceType", types),
    ]


def volume_filters(region: str) -> list[dict[str, str]]:
    """Filters that leave what volumes of a region are billed by."""
    return [*_exact({"regionCode": region}), _any_of("volumeApiName", VOLUME_TYPES)]


def parts(types: Sequence[str]) -> Iterator[list[str]]:
    """Types in portions that the value of one filter takes."""
    part: list[str] = []
    for type_ in types:
        if part and len(",".join([*part, type_])) > MAX_VALUE:
            yield part
            part = []
        part.append(type_)
    if part:
        yield part


def read_instances(
    price_list: Iterable[Any], operations: Collection[str], tenancies: Collection[str]
) -> Read:
    """Hours of instances, of the answer to `instance_filters`. Raises ValueError, LookupError, TypeError."""
    named = {name: tenancy for tenancy, name in TENANCIES.items()}
    # A product that does not say its operation is of the one that was asked for.
    only = next(iter(operations)) if len(operations) == 1 else None
    amounts: dict[str, Decimal] = {}
    currencies: set[str] = set()
    for attributes, unit, amount, currency in _prices(price_list):
        # A block of capacity is paid for at once, and no price on demand.
        is_hour = (
            unit.lower() in ("hrs", "hours") and attributes.get("marketoption", "OnDemand") == "OnDemand"
        )
        operation, tenancy = attributes.get("operation", only), named.get(attributes.get("tenancy", ""))
        is_asked = operation in operations and tenancy in tenancies
        if is_hour and is_asked and attributes.get("capacitystatus", "Used") == "Used":
            amounts[instance_key(attributes["instanceType"], str(operation), str(tenancy))] = amount
            currencies.add(currency)
    return Read(amounts, _one(currencies))


def read_volumes(price_list: Iterable[Any]) -> Read:
    """Months of volumes, of the answer to `volume_filters`. Raises ValueError, LookupError, TypeError."""
    amounts: dict[str, Decimal] = {}
    currencies: set[str] = set()
    for attributes, unit, amount, currency in _prices(price_list):
        usage, type_ = attributes.get("usagetype", ""), attributes["volumeApiName"]
        what = {"gb-mo": "gb", "gb-month": "gb", "iops-mo": "iops", "gibps-mo": "mibps", "mibps-mo": "mibps"}
        found = what.get(unit.lower())
        if found is None or "EBS:Volume" not in usage:
            continue
        if unit.lower() == "gibps-mo":
            amount /= MIB_A_GIB
        tier = next((f".{end}" for end in ("tier2", "tier3") if usage.endswith(f".{end}")), "")
        amounts[volume_key(type_, found + tier)] = amount
        currencies.add(currency)
    return Read(amounts, _one(currencies))


def read_spot(history: Iterable[Mapping[str, Any]], operation: str) -> Read:
    """The newest Spot prices by type and zone, and the highest of each type.

    EC2 does not say in which currency. Raises ValueError, LookupError, TypeError.
    """
    product = SPOT_PRODUCTS[operation]
    newest: dict[str, tuple[Any, Decimal]] = {}
    highest: dict[str, Decimal] = {}
    for row in history:
        if row.get("ProductDescription", product).removesuffix(" (Amazon VPC)") != product:
            continue
        key = spot_key(row["InstanceType"], operation, row["AvailabilityZone"])
        if key not in newest or newest[key][0] < row["Timestamp"]:
            newest[key] = row["Timestamp"], _amount(row["SpotPrice"])
    for key, (_, amount) in newest.items():
        everywhere = f"{key.rpartition('/')[0]}/"
        highest[everywhere] = max(amount, highest.get(everywhere, amount))
    return Read({key: amount for key, (_, amount) in newest.items()} | highest)


def spot_currency(region: str) -> str:
    """The currency of Spot prices.

    https://docs.amazonaws.cn/en_us/aws/latest/userguide/billing-and-payment.html
    """
    return "CNY" if region.startswith("cn-") else "USD"


def _exact(fields: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in fields.items()]


def _one_of(field: str, values: Sequence[str]) -> dict[str, str]:
    """Exactly the one that there is, as far as there is one."""
    return _exact({field: values[0]})[0] if len(values) == 1 else _any_of(field, values)


def _any_of(field: str, values: Iterable[str]) -> dict[str, str]:
    return {"Type": "ANY_OF", "Field": field, "Value": ",".join(values)}


def _prices(price_list: Iterable[Any]) -> Iterator[tuple[Mapping[str, str], str, Decimal, str]]:
    """Attributes, unit, amount and currency of each product's price on demand."""
    for item in price_list:
        product = json.loads(item) if isinstance(item, str) else item
        for term in product.get("terms", {}).get("OnDemand", {}).values():
            for dimension in term["priceDimensions"].values():
                # Of what is cheaper the more of it there is, the first of it.
                if dimension.get("beginRange", "0") not in ("0", ""):
                    continue
                (currency, amount), *_ = dimension["pricePerUnit"].items()
                yield product["product"]["attributes"], dimension["unit"], _amount(amount), currency


def _amount(text: Any) -> Decimal:
    """Raises ValueError for what is no price."""
    try:
        amount = Decimal(text) if isinstance(text, str) and len(text) <= MAX_DIGITS else None
    except InvalidOperation:
        amount = None
    if amount is None or not is_price(amount):
        raise ValueError(f"{text!r:.40} is no price")
    return amount


def is_price(amount: Decimal) -> bool:
    """Whether one could be asked to pay so much, and can calculate with it."""
    return amount.is_finite() and amount >= 0 and abs(amount.adjusted()) <= MAX_DIGITS


def _one(currencies: set[str]) -> str:
    """The currency of all. Raises ValueError where there are several."""
    if len(currencies) > 1:
        raise ValueError(f"prices are in {' and '.join(sorted(currencies))}")
    return next(iter(currencies), "USD")
