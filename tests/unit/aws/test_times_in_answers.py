"""Times are read as botocore reads them, whatever their form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.session import Session
from botocore.utils import parse_timestamp

from provisioner.aws.answers import parse_time
from provisioner.aws.login import open_local_session, open_session


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-26T13:11:56.000Z",
        "2026-11-26T13:11:56.123Z",
        "2026-11-26T13:11:56Z",
        "2026-02-29T00:00:00.000+01:00",
        "2026-11-26T13:11:56",
        "2026-11-26",
        "20261126T131156Z",
        "2024-W01-1T00:00:00Z",
        "Thu, 26 Nov 2026 13:11:56 GMT",
        "1764162716",
        "1764162716.5",
        1764162716,
        1764162716.25,
        "2026-13-26T13:11:56.000Z",
        "2026-11-26T24:00:00.000Z",
        "2026-11-26T13:11:60Z",
        "٢٠٢٦-11-26T13:11:56.000Z",
        "no time",
        "",
        None,
    ],
)
def test_a_time_is_what_botocore_takes_it_for(value: Any) -> None:
    assert outcome(parse_time, value) == outcome(parse_timestamp, value)


def outcome(read: Any, value: Any) -> Any:
    """The time with its distance from UTC, or what sort of error there is."""
    try:
        time = read(value)
    except Exception as error:  # noqa: BLE001  whatever the one raises, so does the other
        return type(error)
    return time, time.utcoffset()


@pytest.mark.parametrize("opened", [open_local_session, lambda: open_session(None, "us-east-1")])
def test_it_is_how_times_in_answers_are_read(opened: Callable[[], Session]) -> None:
    factory = opened().get_component("response_parser_factory")
    assert factory.create_parser("ec2")._timestamp_parser is parse_time
