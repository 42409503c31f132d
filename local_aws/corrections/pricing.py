"""The Price List of EC2, with prices that nobody asks for anything: whoever shows them says so.

AWS Price List API Reference, GetProducts and Filter:
https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html. moto has
nothing of it. An instance costs by its size, and a little more or less by its family; each answer of the
local AWS has a header by which it is known.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS

from local_aws.call import AwsError, Call
from local_aws.corrections.registry import handler
from local_aws.world import World

MAX_RESULTS = 100
# What an hour of each size costs, of which a family has more or less.
_SIZES = {
    "nano": "0.005",
    "micro": "0.01",
    "small": "0.02",
    "medium": "0.04",
    "large": "0.08",
    "xlarge": "0.16",
    "metal": "6.4",
}
# What each usage operation adds to an hour, and the operating system that it stands for.
_SYSTEMS = {
    "RunInstances": ("Linux", "0"),
    "RunInstances:0002": ("Windows", "0.03"),
    "RunInstances:0010": ("RHEL", "0.06"),
    "RunInstances:000g": ("SUSE", "0.05"),
}
_TENANCIES = {"Shared": "1", "Dedicated": "1.1"}
# Usage type, unit and price of a month.
_VOLUMES = {
    "gp2": (("VolumeUsage.gp2", "GB-Mo", "0.10"),),
    "gp3": (
        ("VolumeUsage.gp3", "GB-Mo", "0.08"),
        ("VolumeP-IOPS.gp3", "IOPS-Mo", "0.005"),
        ("VolumeP-Throughput.gp3", "GiBps-mo", "40.96"),
    ),
    "io1": (("VolumeUsage.piops", "GB-Mo", "0.125"), ("VolumeP-IOPS.piops", "IOPS-Mo", "0.065")),
    "io2": (
        ("VolumeUsage.io2", "GB-Mo", "0.125"),
        ("VolumeP-IOPS.io2", "IOPS-Mo", "0.065"),
        ("VolumeP-IOPS.io2.tier2", "IOPS-Mo", "0.0455"),
        ("VolumeP-IOPS.io2.tier3", "IOPS-Mo", "0.032"),
    ),
    "sc1": (("VolumeUsage.sc1", "GB-Mo", "0.015"),),
    "st1": (("VolumeUsage.st1", "GB-Mo", "0.045"),),
    "standard": (("VolumeUsage", "GB-Mo", "0.05"),),
}
_NAMES = ("ServiceCode", "FormatVersion")
_MATCHES = ("TERM_MATCH", "EQUALS", "CONTAINS", "ANY_OF", "NONE_OF")


@handler("pricing:GetProducts")
def products(world: World, call: Call) -> Any:
    """All products that pass the filters, as texts of JSON."""
    service = call.params.get("ServiceCode")
    if not service:
        raise AwsError("InvalidParameterException", "Service code is required.")
    filters = call.params.get("Filters") or []
    for wanted in filters:
        if wanted.get("Type") not in _MATCHES or not wanted.get("Field") or not wanted.get("Value"):
            raise AwsError("InvalidParameterException", "Input Parameters are invalid.")
    size = call.params.get("MaxResults") or MAX_RESULTS
    if not isinstance(size, int) or not 1 <= size <= MAX_RESULTS:
        raise AwsError("ValidationException", f"MaxResults has to be between 1 and {MAX_RESULTS}.")
    found = (
        [product for product in _all(filters) if _passes(product, filters)] if service == "AmazonEC2" else []
    )
    start = _start(call.params.get("NextToken"))
    page = found[start : start + size]
    answer = {"FormatVersion": "aws_v1", "PriceList": [json.dumps(product) for product in page]}
    return answer | ({"NextToken": str(start + size)} if start + size < len(found) else {})


def _start(token: Any) -> int:
    if token is None:
        return 0
    if not (isinstance(token, str) and token.isascii() and token.isdecimal()):
        raise AwsError("InvalidNextTokenException", "The pagination token is invalid.")
    return int(token)


def _passes(product: dict[str, Any], filters: list[dict[str, str]]) -> bool:
    attributes = {**product["product"]["attributes"], "productFamily": product["product"]["productFamily"]}
    return all(_matches(attributes.get(one["Field"]), one) for one in filters if one["Field"] not in _NAMES)


def _matches(value: str | None, wanted: dict[str, str]) -> bool:
    given = wanted["Value"]
    match wanted["Type"]:
        case "ANY_OF":
            return value in given.split(",")
        case "NONE_OF":
            return value not in given.split(",")
        case "CONTAINS":
            return value is not None and given in value
        case _:
            return value == given


def _all(filters: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
    """All products of the region that is asked for, or of us-east-1."""
    region = next((one["Value"] for one in filters if one["Field"] == "regionCode"), "us-east-1")
    types = {offer["InstanceType"] for offer in INSTANCE_TYPE_OFFERINGS["region"].get(region, ())}
    for one in filters:
        # Only what can pass is made: to write eight hundred types as JSON takes its time.
        if one["Field"] == "volumeApiName":
            types = set()
        elif one["Field"] == "instanceType" and one["Type"] in ("TERM_MATCH", "EQUALS", "ANY_OF"):
            types &= set(one["Value"].split(",")) | {one["Value"]}
    currency = "CNY" if region.startswith("cn-") else "USD"
    for type_ in sorted(types):
        for operation, (system, more) in _SYSTEMS.items():
            for tenancy, factor in _TENANCIES.items():
                attributes = {
                    "regionCode": region,
                    "instanceType": type_,
                    "operatingSystem": system,
                    "operation": operation,
                    "tenancy": tenancy,
                    "capacitystatus": "Used",
                    "preInstalledSw": "NA",
                    "marketoption": "OnDemand",
                    "usagetype": f"BoxUsage:{type_}",
                }
                price = (hourly(type_) + Decimal(more)) * Decimal(factor)
                yield _product("Compute Instance", attributes, "Hrs", price, currency)
    for name, parts in _VOLUMES.items():
        for usage, unit, amount in parts:
            family = {"GB-Mo": "Storage", "IOPS-Mo": "System Operation"}.get(unit, "Provisioned Throughput")
            attributes = {"regionCode": region, "volumeApiName": name, "usagetype": f"EBS:{usage}"}
            yield _product(family, attributes, unit, Decimal(amount), currency)


def hourly(type_: str) -> Decimal:
    """What an hour of a type costs: the same each time that somebody asks."""
    family, _, size = type_.partition(".")
    count = size.removesuffix("xlarge")
    base = Decimal(_SIZES["xlarge"]) * int(count) if count.isdecimal() else Decimal(_SIZES.get(size, "6.4"))
    shade = hashlib.sha256(family.encode()).digest()[0] % 41 - 20
    return base * (100 + shade) / 100


def _product(
    family: str, attributes: dict[str, str], unit: str, price: Decimal, currency: str
) -> dict[str, Any]:
    sku = hashlib.sha256(json.dumps(attributes).encode()).hexdigest()[:16].upper()
    dimension = {
        "unit": unit,
        "beginRange": "0",
        "endRange": "Inf",
        "description": "a made-up price of the local AWS",
        "rateCode": f"{sku}.MADEUP.HOUR",
        "appliesTo": [],
        "pricePerUnit": {currency: f"{price:.10f}"},
    }
    term = {"offerTermCode": "MADEUP", "sku": sku, "priceDimensions": {f"{sku}.MADEUP.HOUR": dimension}}
    return {
        "product": {
            "productFamily": family,
            "sku": sku,
            "attributes": {"servicecode": "AmazonEC2", **attributes},
        },
        "serviceCode": "AmazonEC2",
        "terms": {"OnDemand": {f"{sku}.MADEUP": term}},
        "version": "made-up",
        "publicationDate": "2026-01-01T00:00:00Z",
    }
