"""Prices are asked for in the background: once, not waited for, kept for a day, and never a failure."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from provisioner.costs.cache import cache_folder
from provisioner.costs.lookup import TOO_LATE, UNREADABLE, PriceLookup, asked_in
from provisioner.costs.prices import Prices
from provisioner.costs.uses import InstanceUse, Use, VolumeUse
from provisioner.errors import AwsError
from tests.unit.costs.test_price_list import LINUX, product

LARGE, XLARGE, SPOT = InstanceUse("t3.large"), InstanceUse("t3.xlarge"), InstanceUse("t3.large", "spot")
GP3 = VolumeUse("gp3", 730)
LONG = 30.0
NOON = 1_800_000_000.0
DAY = 86_400


class Connection:
    """AWS, answering with prices; `answer` can do otherwise."""

    def __init__(
        self, answer: Callable[[dict[str, Any]], dict[str, Any]] | None = None, local: bool = False
    ) -> None:
        self.asked: list[str] = []
        self.regions: set[str] = set()
        self._answer = answer
        self._headers = {"x-provisioner-local": "1"} if local else {}

    def in_region(self, region: str) -> Connection:
        self.regions.add(region)
        return self

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        wanted = {one["Field"]: one["Value"] for one in params.get("Filters", [])}
        self.asked.append(wanted.get("instanceType") or ("volumes" if wanted else operation))
        answer = self._answer(wanted) if self._answer else self._prices(wanted)
        return answer | {"ResponseMetadata": {"HTTPHeaders": self._headers}}

    def _prices(self, wanted: dict[str, str]) -> dict[str, Any]:
        if "instanceType" in wanted:
            types = [
                type_ for type_ in wanted["instanceType"].split(",") if type_ in ("t3.large", "t3.xlarge")
            ]
            return {"PriceList": [product(LINUX | {"instanceType": one}, "Hrs", "0.1") for one in types]}
        if wanted:
            usage = {"volumeApiName": "gp3", "usagetype": "EBS:VolumeUsage.gp3"}
            return {"PriceList": [product(usage, "GB-Mo", "0.1")]}
        row = {
            "InstanceType": "t3.large",
            "AvailabilityZone": "us-east-1a",
            "SpotPrice": "0.03",
            "Timestamp": 1,
        }
        return {"SpotPriceHistory": [row]}


def looked_up(
    connection: Connection,
    uses: Iterable[Use],
    folder: Path | None = None,
    at: float = NOON,
    region: str = "us-east-1",
    wait_s: float = LONG,
    source: str = "aws",
) -> Prices:
    return PriceLookup(connection, region, source, folder, lambda: at).prices(uses, wait_s)


def test_one_call_for_the_types_of_a_system_one_for_volumes_one_for_spot() -> None:
    connection = Connection()
    prices = looked_up(connection, [LARGE, XLARGE, GP3, SPOT])
    assert sorted(connection.asked) == ["DescribeSpotPriceHistory", "t3.large,t3.xlarge", "volumes"]
    assert [prices.hourly(use) for use in (LARGE, XLARGE, GP3, SPOT)] == [
        Decimal("0.1"),
        Decimal("0.1"),
        Decimal("0.1"),
        Decimal("0.03"),
    ]
    assert (prices.reason, prices.made_up) == (None, False)


WINDOWS = InstanceUse("t3.large", operation="RunInstances:0002")
DEDICATED = InstanceUse("t3.xlarge", tenancy="dedicated")


def test_one_call_for_all_systems_and_tenancies() -> None:
    """Each combination is asked for, and what is not in the answer there is not."""
    connection = Connection(
        lambda wanted: {
            "PriceList": [
                product(
                    LINUX | {"operation": operation, "tenancy": tenancy, "instanceType": type_}, "Hrs", usd
                )
                for operation, tenancy, type_, usd in (
                    ("RunInstances", "Shared", "t3.large", "0.1"),
                    ("RunInstances:0002", "Shared", "t3.large", "0.2"),
                    ("RunInstances", "Dedicated", "t3.xlarge", "0.3"),
                )
                if operation in wanted.get("operation", "")
            ]
        }
    )
    prices = looked_up(connection, [LARGE, WINDOWS, DEDICATED])
    assert sorted(connection.asked) == ["t3.large,t3.xlarge", "volumes"]
    assert [prices.hourly(use) for use in (LARGE, WINDOWS, DEDICATED)] == [
        Decimal("0.1"),
        Decimal("0.2"),
        Decimal("0.3"),
    ]


def test_where_all_combinations_are_more_than_a_page_each_is_asked_for_itself() -> None:
    """Sixty types with two systems would be 120 products, and a page has 100."""
    connection = Connection()
    linux = [InstanceUse(f"m5.{number}xlarge") for number in range(30)]
    windows = [InstanceUse(f"c5.{number}xlarge", operation="RunInstances:0002") for number in range(30)]
    looked_up(connection, [*linux, *windows])
    assert sorted(len(asked.split(",")) for asked in connection.asked if asked != "volumes") == [30, 30]


def test_spot_prices_of_all_systems_take_one_call() -> None:
    def answer(wanted: dict[str, str]) -> dict[str, Any]:
        row = {"InstanceType": "t3.large", "AvailabilityZone": "us-east-1a", "Timestamp": 1}
        systems = {"Linux/UNIX": "0.03", "Windows": "0.06"}
        rows = [row | {"ProductDescription": name, "SpotPrice": usd} for name, usd in systems.items()]
        return {"SpotPriceHistory": rows, "PriceList": []}

    connection = Connection(answer)
    windows = InstanceUse("t3.large", "spot", "RunInstances:0002")
    prices = looked_up(connection, [SPOT, windows])
    assert connection.asked.count("DescribeSpotPriceHistory") == 1
    assert [prices.hourly(SPOT), prices.hourly(windows)] == [Decimal("0.03"), Decimal("0.06")]


def of_china(wanted: dict[str, str]) -> dict[str, Any]:
    row = {"InstanceType": "t3.large", "AvailabilityZone": "cn-north-1a", "SpotPrice": "0.2", "Timestamp": 1}
    listed = [product(LINUX, "Hrs", "0.7", "CNY")] if "instanceType" in wanted else []
    return {"SpotPriceHistory": [row], "PriceList": listed}


def test_in_china_spot_prices_are_in_yuan_as_all_others_are() -> None:
    for uses, amounts in (([SPOT], ["0.2"]), ([LARGE, SPOT], ["0.7", "0.2"])):
        prices = looked_up(Connection(of_china), uses, region="cn-north-1")
        assert prices.currency == "CNY"
        assert [prices.hourly(use) for use in uses] == [Decimal(amount) for amount in amounts]


def test_amounts_of_two_currencies_are_never_in_one_sum() -> None:
    lookup = PriceLookup(Connection(of_china), "us-east-1", "aws", None)
    assert lookup.prices([LARGE], LONG).currency == "CNY"
    prices = lookup.prices([LARGE, SPOT], LONG)
    assert prices.currency == "USD"
    assert [prices.hourly(use) for use in (LARGE, SPOT)] == [None, Decimal("0.2")]


def test_what_was_begun_is_not_asked_again() -> None:
    connection = Connection()
    lookup = PriceLookup(connection, "us-east-1", "aws", None)
    lookup.begin([LARGE])
    assert lookup.prices([LARGE, GP3], LONG).hourly(LARGE) == Decimal("0.1")
    assert sorted(connection.asked) == ["t3.large", "volumes"]


@pytest.mark.parametrize(
    ("region", "where"),
    [
        ("us-west-2", "us-east-1"),
        ("sa-east-1", "us-east-1"),
        ("eu-west-1", "eu-central-1"),
        ("ap-southeast-2", "ap-south-1"),
        ("cn-north-1", "cn-northwest-1"),
    ],
)
def test_the_price_list_is_asked_where_it_is(region: str, where: str) -> None:
    connection = Connection()
    looked_up(connection, [LARGE], region=region)
    assert connection.regions == {where} == {asked_in(region)}


@pytest.mark.parametrize("region", ["us-gov-west-1", "us-iso-east-1", "eusc-de-east-1"])
def test_where_there_is_no_price_list_none_is_asked(region: str) -> None:
    connection = Connection()
    prices = looked_up(connection, [LARGE, GP3], region=region)
    assert (connection.asked, prices.hourly(LARGE)) == ([], None)
    assert prices.reason == f"AWS has no price list of {region}"


class TestNothingFails:
    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            (
                AwsError("pricing", "GetProducts", "AccessDeniedException", "no"),
                "pricing:GetProducts: AccessDeniedException",
            ),
            (
                AwsError("pricing", "GetProducts", "NotImplemented", "no"),
                "pricing GetProducts: NotImplemented",
            ),
            (KeyError("PriceList"), UNREADABLE),
            (OSError("no network"), "OSError"),
        ],
    )
    def test_whatever_goes_wrong_is_a_reason(self, error: Exception, reason: str) -> None:
        def answer(wanted: dict[str, str]) -> dict[str, Any]:
            raise error

        prices = looked_up(Connection(answer), [LARGE, GP3])
        assert (prices.hourly(LARGE), prices.reason) == (None, reason)

    def test_reasons_are_told_in_one_order(self) -> None:
        def answer(wanted: dict[str, str]) -> dict[str, Any]:
            raise AwsError("pricing" if wanted else "ec2", "Ask", "Denied", "no")

        assert looked_up(Connection(answer), [LARGE, SPOT]).reason == "ec2 Ask: Denied; pricing Ask: Denied"

    @pytest.mark.parametrize("answer", [{}, {"PriceList": None}, {"PriceList": ["{"]}, {"PriceList": [1]}])
    def test_what_is_no_price_list_is_none(self, answer: dict[str, Any]) -> None:
        prices = looked_up(Connection(lambda wanted: answer), [LARGE])
        assert (prices.hourly(LARGE), prices.reason) == (None, UNREADABLE)

    def test_who_does_not_answer_is_not_waited_for(self) -> None:
        never = threading.Event()

        def answer(wanted: dict[str, str]) -> dict[str, Any]:
            never.wait(LONG)
            return {"PriceList": []}

        began = time.monotonic()
        prices = looked_up(Connection(answer), [LARGE], wait_s=0.01)
        assert time.monotonic() - began < LONG / 2
        never.set()
        assert (prices.hourly(LARGE), prices.reason) == (None, TOO_LATE)

    def test_an_endpoint_that_has_always_one_more_page_ends(self) -> None:
        connection = Connection(lambda wanted: {"PriceList": [], "NextToken": "more"})
        assert looked_up(connection, [LARGE]).hourly(LARGE) is None


class TestKeptForADay:
    def test_then_nothing_is_asked(self, tmp_path: Path) -> None:
        looked_up(Connection(), [LARGE, GP3], tmp_path)
        connection = Connection()
        prices = looked_up(connection, [LARGE, GP3], tmp_path, NOON + DAY - 1)
        assert (connection.asked, prices.hourly(LARGE)) == ([], Decimal("0.1"))

    def test_also_that_there_is_no_such_price(self, tmp_path: Path) -> None:
        nowhere = InstanceUse("x9.large")
        looked_up(Connection(), [nowhere], tmp_path)
        connection = Connection()
        assert looked_up(connection, [nowhere], tmp_path, NOON + 60).hourly(nowhere) is None
        assert connection.asked == []

    @pytest.mark.parametrize("later", [DAY + 1, -1])
    def test_afterwards_it_is_asked_again(self, tmp_path: Path, later: float) -> None:
        looked_up(Connection(), [LARGE], tmp_path)
        connection = Connection()
        looked_up(connection, [LARGE], tmp_path, NOON + later)
        assert sorted(connection.asked) == ["t3.large", "volumes"]

    def test_spot_prices_for_an_hour(self, tmp_path: Path) -> None:
        looked_up(Connection(), [SPOT], tmp_path)
        early, late = Connection(), Connection()
        looked_up(early, [SPOT], tmp_path, NOON + 3000)
        looked_up(late, [SPOT], tmp_path, NOON + 4000)
        assert (early.asked, late.asked) == ([], ["DescribeSpotPriceHistory"])

    @pytest.mark.parametrize("has_cache", [True, False])
    def test_whoever_watches_for_longer_has_them_asked_again(self, has_cache: bool, tmp_path: Path) -> None:
        times, connection = [NOON], Connection()
        folder = tmp_path if has_cache else None
        lookup = PriceLookup(connection, "us-east-1", "aws", folder, lambda: times[-1])
        spot, listed = ["DescribeSpotPriceHistory"], ["t3.large", "volumes"]
        for later, asked in ((0, [*spot, *listed]), (60, []), (4000, spot), (DAY + 60, [*spot, *listed])):
            connection.asked.clear()
            times.append(NOON + later)
            prices = lookup.prices([LARGE, SPOT], LONG)
            assert sorted(connection.asked) == asked
            assert (prices.hourly(LARGE), prices.hourly(SPOT)) == (Decimal("0.1"), Decimal("0.03"))

    def test_what_could_not_be_read_is_asked_again_ten_minutes_later(self) -> None:
        times, is_down, healthy = [NOON], [True], Connection()

        def answer(wanted: dict[str, str]) -> dict[str, Any]:
            if is_down[-1]:
                raise AwsError("pricing" if wanted else "ec2", "Ask", "InternalError", "no")
            return healthy._prices(wanted)

        connection = Connection(answer)
        lookup = PriceLookup(connection, "us-east-1", "aws", None, lambda: times[-1])
        everything = ["DescribeSpotPriceHistory", "t3.large", "volumes"]
        for later, down, asked, known in (
            (0, True, everything, False),
            (590, False, [], False),
            (610, True, everything, False),
            (1220, False, everything, True),
            (1230, True, [], True),
        ):
            connection.asked.clear()
            times.append(NOON + later)
            is_down.append(down)
            prices = lookup.prices([LARGE, SPOT], LONG)
            assert sorted(connection.asked) == asked
            assert (prices.hourly(LARGE) is not None, prices.hourly(SPOT) is not None) == (known, known)
            reason = "ec2 Ask: InternalError; pricing Ask: InternalError"
            assert prices.reason == (None if known else reason)

    def test_types_of_before_are_asked_with_the_new_ones(self, tmp_path: Path) -> None:
        """Members may still have them, and one call tells both."""
        looked_up(Connection(), [LARGE], tmp_path)
        connection = Connection()
        looked_up(connection, [XLARGE], tmp_path, NOON + 2 * DAY)
        assert sorted(connection.asked) == ["t3.large,t3.xlarge", "volumes"]

    def test_what_one_environment_asks_another_knows(self, tmp_path: Path) -> None:
        looked_up(Connection(), [LARGE], tmp_path)
        looked_up(Connection(), [XLARGE], tmp_path)
        connection = Connection()
        looked_up(connection, [LARGE, XLARGE], tmp_path)
        assert connection.asked == []

    def test_prices_of_another_region_or_aws_are_others(self, tmp_path: Path) -> None:
        looked_up(Connection(local=True), [LARGE], tmp_path, source="local")
        for more in ({"source": "aws"}, {"source": "local", "region": "us-west-2"}):
            connection = Connection()
            looked_up(connection, [LARGE], tmp_path, **more)  # type: ignore[arg-type]
            assert connection.asked, more

    def test_made_up_prices_stay_marked(self, tmp_path: Path) -> None:
        assert looked_up(Connection(local=True), [LARGE], tmp_path, source="local").made_up
        assert looked_up(Connection(), [LARGE], tmp_path, source="local").made_up

    @pytest.mark.parametrize(
        "content",
        [
            "",
            "{",
            "[]",
            "null",
            '{"format_version": 99}',
            *(
                '{"format_version": 1, "currency": "USD", "made_up": false, ' + rest
                for rest in (
                    '"images": {}, "prices": {"a": 1}}',
                    '"images": {}, "prices": {"a": ["x", 1]}}',
                    '"images": {}, "prices": {"a": ["NaN", 1]}}',
                    '"images": {}, "prices": {"on_demand": ["1e999999", 1]}}',
                    '"images": {}, "prices": {"on_demand": ["1e-999999", 1]}}',
                    f'"images": {{}}, "prices": {{"a": ["1", 1{"0" * 400}]}}}}',
                    f'"images": {{"a": [1{"0" * 400}, null, null]}}, "prices": {{}}}}',
                    '"images": {"a": 1}, "prices": {}}',
                    '"images": {"a": ["large", null, null]}, "prices": {}}',
                )
            ),
            "[" * 100_000,
        ],
    )
    def test_a_broken_cache_is_no_cache(self, tmp_path: Path, content: str) -> None:
        looked_up(Connection(), [LARGE], tmp_path)
        (kept,) = tmp_path.iterdir()
        kept.write_text(content)
        assert looked_up(Connection(), [LARGE], tmp_path).hourly(LARGE) == Decimal("0.1")
        told = json.loads(kept.read_text())
        assert told["format_version"] == 1
        assert not {"a", "on_demand"} & {*told["prices"], *told["images"]}

    def test_a_link_and_what_others_may_write_are_not_read(self, tmp_path: Path) -> None:
        looked_up(Connection(), [LARGE], tmp_path)
        (kept,) = tmp_path.iterdir()
        kept.chmod(0o666)
        connection = Connection()
        looked_up(connection, [LARGE], tmp_path)
        assert connection.asked
        elsewhere = tmp_path / "elsewhere"
        kept.rename(elsewhere)
        kept.symlink_to(elsewhere)
        connection = Connection()
        looked_up(connection, [LARGE], tmp_path)
        assert connection.asked

    def test_no_folder_to_write_is_no_matter(self, tmp_path: Path) -> None:
        blocked = tmp_path / "file"
        blocked.touch()
        assert looked_up(Connection(), [LARGE], blocked).hourly(LARGE) == Decimal("0.1")

    def test_the_folder_is_that_of_the_user(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert cache_folder() == tmp_path / "provisioner"
        monkeypatch.setenv("XDG_CACHE_HOME", "relative")
        monkeypatch.setenv("HOME", str(tmp_path))
        assert cache_folder() == tmp_path / ".cache" / "provisioner"
        monkeypatch.setenv("HOME", "relative")
        assert cache_folder() is None
