"""What IAM lists, found for one environment without going through what all of them have."""

from __future__ import annotations

from operator import itemgetter

import pytest

from provisioner.kinds.shared_reads import Listing, environment_path

ITEMS = [
    {"Name": name, "Path": path}
    for name, path in (
        ("shop-web", "/provisioner/shop/"),
        ("Shop-DB", "/provisioner/shop/inner/"),
        ("shopping", "/provisioner/shopping/"),
        ("admin", "/"),
        ("odd", "/provisioner/shop"),
    )
]


@pytest.mark.parametrize(
    ("environment", "names", "found"),
    [
        ("shop", (), ["shop-web", "Shop-DB"]),
        ("shop", ("shop-web", "admin"), ["shop-web", "Shop-DB", "admin"]),
        ("shopping", ("shop-db",), ["Shop-DB", "shopping"]),
        ("none", (), []),
        ("none", ("odd",), ["odd"]),
    ],
)
def test_by_path_and_by_name_in_the_order_of_the_list(
    environment: str, names: tuple[str, ...], found: list[str]
) -> None:
    listing = Listing(ITEMS, itemgetter("Name"), itemgetter("Path"))
    assert [item["Name"] for item in listing.of(environment, names)] == found


@pytest.mark.parametrize(
    ("path", "of"),
    [
        ("/provisioner/shop/", "/provisioner/shop/"),
        ("/provisioner/shop/inner/", "/provisioner/shop/"),
        ("/provisioner/shop", ""),
        ("/provisioner/", ""),
        ("/", ""),
    ],
)
def test_the_path_of_the_environment(path: str, of: str) -> None:
    assert environment_path(path) == of
