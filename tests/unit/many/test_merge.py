"""One report of many: in any order, in any steps; what is missing is told, what does not belong refused."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.errors import UsageError
from provisioner.many.merge import merge_reports, missing_words
from provisioner.many.outcome import EXIT_CODES, Outcome, Verdict, exit_code_of
from provisioner.many.report import report_data
from provisioner.many.shards import Shard, Sized, shard_numbers

VERDICTS = {
    0: Verdict.OK,
    1: Verdict.FAILED,
    2: Verdict.CHANGES,
    3: Verdict.WRONG,
    4: Verdict.REFUSED,
    130: Verdict.INTERRUPTED,
}
CODES = st.lists(st.sampled_from(sorted(VERDICTS)), min_size=1, max_size=30)


def outcome(number: int, code: int) -> Outcome:
    return Outcome(
        source=f"specs/{number}.yaml",
        verdict=VERDICTS[code],
        exit_code=code,
        words="",
        environment=f"environment-{number}",
        region="us-east-1",
        account_id=f"{number % 3:012}",
    )


def sized(outcomes: list[Outcome]) -> list[Sized]:
    return [Sized((told.account_id or "", told.region or ""), told.place, 1) for told in outcomes]


def reports(codes: list[int], count: int, command: str = "plan") -> list[tuple[str, dict[str, Any]]]:
    """The report of each shard, as its machine writes it."""
    outcomes = [outcome(number, code) for number, code in enumerate(codes)]
    environments = sized(outcomes)
    numbers = shard_numbers(environments, count)
    return [
        (
            f"{number}.json",
            report_data(
                command,
                [told for told, shard in zip(outcomes, numbers, strict=True) if shard == number],
                Shard(number, count).of(environments),
            ),
        )
        for number in range(1, count + 1)
    ]


@given(CODES, st.integers(1, 6))
def test_the_reports_of_all_shards_are_the_report_of_one_machine(codes: list[int], count: int) -> None:
    merged = merge_reports(reports(codes, count))
    whole = report_data("plan", [outcome(number, code) for number, code in enumerate(codes)])
    assert merged | {"shards": None} == whole
    assert merged["shards"]["numbers"] == list(range(1, count + 1))
    assert merged["exit_code"] == exit_code_of(codes)
    assert missing_words(merged) is None


@given(CODES, st.integers(2, 6), st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_reports_are_merged_in_any_order_and_in_any_steps(
    codes: list[int], count: int, chance: random.Random
) -> None:
    parts = reports(codes, count)
    at_once = merge_reports(parts)
    chance.shuffle(parts)
    cut = chance.randint(1, count - 1)
    in_steps = [("left.json", merge_reports(parts[:cut])), ("right.json", merge_reports(parts[cut:]))]
    assert merge_reports(in_steps) == at_once


@given(CODES, st.integers(2, 6), st.data())
def test_a_missing_shard_is_told_and_is_a_failure(codes: list[int], count: int, data: st.DataObject) -> None:
    parts = reports(codes, count)
    number = data.draw(st.integers(1, count))
    ((_, left_out),) = [part for part in parts if part[0] == f"{number}.json"]
    merged = merge_reports([part for part in parts if part[0] != f"{number}.json"])
    assert merged["exit_code"] in EXIT_CODES[:2]
    told, _ = missing_words(merged) or ("", "")
    assert (
        told.startswith(f"1 of {count} shard is missing: {number}/{count}; ") or f"{number}/{count};" in told
    )
    assert f"{len(left_out['environments'])} of {len(codes)} environment" in told


def test_many_missing_shards_are_counted() -> None:
    merged = merge_reports(reports([0] * 40, 40)[:3])
    told, _ = missing_words(merged) or ("", "")
    assert "37 of 40 shards are missing: 4/40, 5/40" in told
    assert " and 17 more; 37 of 40 environments are not in this report" in told


def test_however_many_are_missing_that_is_told_at_once() -> None:
    ((_, report),) = reports([0], 1)
    told, _ = missing_words(report | {"shards": report["shards"] | {"count": 999_999_999}}) or ("", "")
    assert told.startswith("999,999,998 of 999,999,999 shards are missing: 2/999999999, ")


ONE, TWO, THREE = reports([0, 2, 1, 0, 0, 0], 3)
WHOLE = ("all.json", report_data("plan", [outcome(number, 0) for number in range(6)]))
OTHERS = ("others.json", report_data("plan", [outcome(number, 0) for number in range(6, 9)]))


def test_reports_of_no_shards_are_merged_as_they_are() -> None:
    merged = merge_reports([WHOLE, OTHERS])
    assert (merged["summary"]["environments"], merged["shards"], missing_words(merged)) == (9, None, None)


@pytest.mark.parametrize(
    ("given_reports", "message"),
    [
        ([ONE, TWO, ("again.json", TWO[1])], "shard 2/3 is there twice: in 2.json and in again.json"),
        (
            [("merged.json", merge_reports([ONE, TWO])), TWO],
            "shard 2/3 is there twice: in merged.json and in 2.json; merged.json is a merged report",
        ),
        ([ONE, reports([0, 2, 1, 0, 0], 3)[1]], "are shards of different environments: 6 and 5 in all"),
        ([ONE, reports([0] * 6, 4)[1]], "1.json is of 3 shards, and 2.json is of 4"),
        ([ONE, reports([0] * 6, 3, "drift")[1]], "1.json is of `plan`, and 2.json is of `drift`"),
        ([ONE, WHOLE], "1.json is of a shard, and all.json is of none"),
        ([WHOLE, ONE], "1.json is of a shard, and all.json is of none"),
        ([WHOLE, ("again.json", WHOLE[1])], "environment-0 is there twice: in all.json and in again.json"),
        (
            [("x.json", ONE[1] | {"shards": ONE[1]["shards"] | {"numbers": [4]}})],
            "x.json: there is no shard 4/3",
        ),
    ],
)
def test_what_is_not_of_one_run_is_refused(
    given_reports: list[tuple[str, dict[str, Any]]], message: str
) -> None:
    with pytest.raises(UsageError) as told:
        merge_reports(given_reports)
    assert message in told.value.message
    assert told.value.hint


def test_shards_of_as_many_other_environments_are_told_apart() -> None:
    outcomes = [outcome(number, 0) for number in range(10, 16)]
    foreign = ("x.json", report_data("plan", outcomes[:2], Shard(2, 3).of(sized(outcomes))))
    with pytest.raises(UsageError, match="6 and 6 in all, not the same ones"):
        merge_reports([ONE, foreign])
