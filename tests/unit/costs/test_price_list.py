"""AWS's answers about prices, in the form in which it gives them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from provisioner.costs.price_list import instance_filters, parts, read_instances, read_spot, read_volumes

LINUX = {
    "instanceType": "t3.large",
    "operation": "RunInstances",
    "tenancy": "Shared",
    "capacitystatus": "Used",
}


def product(attributes: dict[str, str], unit: str, price: Any, currency: str = "USD", **more: Any) -> str:
    """A product as an item of PriceList, which is a text."""
    dimension = {
        "unit": unit,
        "pricePerUnit": {currency: price},
        "beginRange": "0",
        "endRange": "Inf",
        **more,
    }
    terms = {"OnDemand": {"SKU.JRT": {"priceDimensions": {"SKU.JRT.6YS": dimension}}}, "Reserved": {"x": {}}}
    return json.dumps({"product": {"attributes": attributes}, "terms": terms})


def of_instances(*items: str) -> dict[str, Decimal]:
    return dict(read_instances(items, ["RunInstances"], ["default"]).amounts)


@pytest.mark.parametrize(
    ("situation", "item", "found"),
    [
        ("an hour", product(LINUX, "Hrs", "0.0832000000"), "0.0832"),
        ("marked as on demand", product(LINUX | {"marketoption": "OnDemand"}, "Hrs", "0.0832"), "0.0832"),
        ("a block of capacity", product(LINUX | {"marketoption": "CapacityBlock"}, "Hrs", "0"), None),
        (
            "a reservation nobody uses",
            product(LINUX | {"capacitystatus": "UnusedCapacityReservation"}, "Hrs", "1"),
            None,
        ),
        ("other hardware", product(LINUX | {"tenancy": "Host"}, "Hrs", "0"), None),
        ("another system", product(LINUX | {"operation": "RunInstances:0002"}, "Hrs", "1"), None),
        ("paid at once", product(LINUX, "Quantity", "99"), None),
    ],
)
def test_an_instance_has_one_price_an_hour(situation: str, item: str, found: str | None) -> None:
    expected = {} if found is None else {"instance/t3.large/RunInstances/default": Decimal(found)}
    assert of_instances(item) == expected


def test_a_product_of_which_there_are_only_reservations_has_none() -> None:
    assert of_instances(json.dumps({"product": {"attributes": LINUX}, "terms": {"Reserved": {}}})) == {}


@pytest.mark.parametrize(
    ("type_", "usage", "unit", "price", "key", "amount"),
    [
        ("gp3", "EBS:VolumeUsage.gp3", "GB-Mo", "0.08", "volume/gp3/gb", "0.08"),
        ("gp3", "EUC1-EBS:VolumeP-IOPS.gp3", "IOPS-Mo", "0.006", "volume/gp3/iops", "0.006"),
        # Of throughput the price is for a GiB/s, and what is asked for is MiB/s.
        ("gp3", "EBS:VolumeP-Throughput.gp3", "GiBps-mo", "40.96", "volume/gp3/mibps", "0.04"),
        ("io1", "EBS:VolumeUsage.piops", "GB-Mo", "0.125", "volume/io1/gb", "0.125"),
        ("io2", "EBS:VolumeP-IOPS.io2.tier2", "IOPS-Mo", "0.0455", "volume/io2/iops.tier2", "0.0455"),
        ("standard", "EBS:VolumeUsage", "GB-month", "0.05", "volume/standard/gb", "0.05"),
        # Requests are not by the hour.
        ("standard", "EBS:VolumeIOUsage", "IOs", "0.00000005", None, None),
    ],
)
def test_volumes(type_: str, usage: str, unit: str, price: str, key: str | None, amount: str | None) -> None:
    read = read_volumes([product({"volumeApiName": type_, "usagetype": usage}, unit, price)])
    assert read.amounts == ({key: Decimal(str(amount))} if key else {})


def test_what_is_cheaper_the_more_there_is_counts_by_its_first_price() -> None:
    dear = product(
        {"volumeApiName": "gp2", "usagetype": "EBS:VolumeUsage.gp2"}, "GB-Mo", "1", beginRange="1024"
    )
    assert read_volumes([dear]).amounts == {}


def test_in_china_prices_are_in_yuan() -> None:
    assert (
        read_instances([product(LINUX, "Hrs", "0.5", "CNY")], ["RunInstances"], ["default"]).currency == "CNY"
    )


def test_spot_prices_are_the_newest_of_each_zone_and_the_highest_of_the_type() -> None:
    def row(zone: str, price: str, hour: int, product: str = "Linux/UNIX") -> dict[str, Any]:
        at = datetime(2026, 1, 1, hour, tzinfo=UTC)
        where = f"us-east-1{zone}"
        return {
            "InstanceType": "t3.large",
            "AvailabilityZone": where,
            "SpotPrice": price,
            "Timestamp": at,
            "ProductDescription": product,
        }

    rows = [row("a", "0.03", 1), row("a", "0.02", 5), row("b", "0.025", 4, "Linux/UNIX (Amazon VPC)")]
    rows += [row("b", "0.9", 6, "Windows")]
    assert read_spot(rows, "RunInstances").amounts == {
        "spot/t3.large/RunInstances/us-east-1a": Decimal("0.02"),
        "spot/t3.large/RunInstances/us-east-1b": Decimal("0.025"),
        "spot/t3.large/RunInstances/": Decimal("0.025"),
    }


@pytest.mark.parametrize(
    "item",
    [
        "{",
        "[]",
        "7",
        product(LINUX, "Hrs", "free"),
        product(LINUX, "Hrs", "NaN"),
        product(LINUX, "Hrs", "-1"),
        product(LINUX, "Hrs", "1e999999999"),
        product(LINUX, "Hrs", "9" * 99),
        product(LINUX, "Hrs", 0.1),
        product(LINUX, "Hrs", None),
        json.dumps({"terms": {"OnDemand": {"x": {}}}}),
    ],
)
def test_what_is_no_price_list_is_an_error_that_the_lookup_expects(item: str) -> None:
    with pytest.raises((LookupError, ValueError, TypeError, AttributeError)):
        of_instances(item)


def test_filters_leave_one_product_a_type() -> None:
    assert instance_filters("eu-west-1", ["t3.large", "m5.large"], ["RunInstances:0002"], ["dedicated"]) == [
        {"Type": "TERM_MATCH", "Field": "regionCode", "Value": "eu-west-1"},
        {"Type": "TERM_MATCH", "Field": "capacitystatus", "Value": "Used"},
        {"Type": "TERM_MATCH", "Field": "operation", "Value": "RunInstances:0002"},
        {"Type": "TERM_MATCH", "Field": "tenancy", "Value": "Dedicated"},
        {"Type": "ANY_OF", "Field": "instanceType", "Value": "t3.large,m5.large"},
    ]


def test_filters_take_several_systems_and_tenancies() -> None:
    operations, tenancies = ["RunInstances", "RunInstances:0002"], ["dedicated", "default"]
    assert instance_filters("eu-west-1", ["t3.large"], operations, tenancies)[2:] == [
        {"Type": "ANY_OF", "Field": "operation", "Value": "RunInstances,RunInstances:0002"},
        {"Type": "ANY_OF", "Field": "tenancy", "Value": "Dedicated,Shared"},
        {"Type": "ANY_OF", "Field": "instanceType", "Value": "t3.large"},
    ]


def test_products_are_told_apart_by_system_and_tenancy() -> None:
    windows, dedicated = LINUX | {"operation": "RunInstances:0002"}, LINUX | {"tenancy": "Dedicated"}
    items = [product(LINUX, "Hrs", "1"), product(windows, "Hrs", "2"), product(dedicated, "Hrs", "3")]
    operations, tenancies = ["RunInstances", "RunInstances:0002"], ["default", "dedicated"]
    assert dict(read_instances(items, operations, tenancies).amounts) == {
        "instance/t3.large/RunInstances/default": Decimal(1),
        "instance/t3.large/RunInstances:0002/default": Decimal(2),
        "instance/t3.large/RunInstances/dedicated": Decimal(3),
    }


def test_many_types_take_several_filters_of_at_most_1024_characters() -> None:
    types = [f"u-family{number}.112xlarge" for number in range(100)]
    found = list(parts(types))
    assert [type_ for part in found for type_ in part] == types
    assert all(len(",".join(part)) <= 1024 for part in found)
    assert len(found) == 3
