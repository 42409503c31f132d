"""The price list of the local AWS: found as AWS's is, and known for what it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.local_aws.helpers import refused


@pytest.fixture
def pricing(local: Any, clients: dict[str, Any]) -> Any:
    return clients["pricing"]


def wanted(**fields: str) -> list[dict[str, str]]:
    """Filters; a value with a comma is any of several."""
    return [
        {"Type": "ANY_OF" if "," in value else "TERM_MATCH", "Field": name, "Value": value}
        for name, value in fields.items()
    ]


def found(pricing: Any, **fields: str) -> list[dict[str, Any]]:
    answer = pricing.get_products(ServiceCode="AmazonEC2", Filters=wanted(**fields))
    return [json.loads(product) for product in answer["PriceList"]]


LINUX = {
    "regionCode": "eu-west-1",
    "operation": "RunInstances",
    "tenancy": "Shared",
    "capacitystatus": "Used",
}


@pytest.mark.correction("price-list")
def test_products_are_found_by_all_filters(pricing: Any) -> None:
    products = found(pricing, **LINUX, instanceType="t3.large,m5.large,x9.none")
    assert {product["product"]["attributes"]["instanceType"] for product in products} == {
        "t3.large",
        "m5.large",
    }
    (term,) = products[0]["terms"]["OnDemand"].values()
    (dimension,) = term["priceDimensions"].values()
    assert (dimension["unit"], list(dimension["pricePerUnit"])) == ("Hrs", ["USD"])
    assert "made-up" in dimension["description"]


def test_volumes_are_products_too(pricing: Any) -> None:
    units = {
        next(iter(next(iter(product["terms"]["OnDemand"].values()))["priceDimensions"].values()))["unit"]
        for product in found(pricing, regionCode="us-east-1", volumeApiName="gp3,io2")
    }
    assert units == {"GB-Mo", "IOPS-Mo", "GiBps-mo"}


def test_pages_hold_all_of_it_once(pricing: Any) -> None:
    filters = wanted(regionCode="us-east-1", tenancy="Shared")
    pages = pricing.get_paginator("get_products").paginate(
        ServiceCode="AmazonEC2", Filters=filters, PaginationConfig={"PageSize": 100, "MaxItems": 250}
    )
    skus = [json.loads(product)["product"]["sku"] for page in pages for product in page["PriceList"]]
    assert len(skus) == len(set(skus)) == 250


def test_a_service_that_it_has_nothing_of_has_no_products(pricing: Any) -> None:
    assert pricing.get_products(ServiceCode="AmazonS3")["PriceList"] == []


@pytest.mark.parametrize(
    ("code", "more"),
    [
        ("InvalidNextTokenException", {"NextToken": "x"}),
        ("InvalidParameterException", {"Filters": [{"Type": "LIKE", "Field": "tenancy", "Value": "S"}]}),
    ],
)
def test_what_it_does_not_take(pricing: Any, code: str, more: dict[str, Any]) -> None:
    with refused(code):
        pricing.get_products(ServiceCode="AmazonEC2", **more)
