"""One report of the reports of shards. Merging in any order and in any steps comes to the same.

A shard that is missing is no error here, as what the others did is worth knowing: it is told, and the merged
report ends with at least 1. What cannot be one run is an error, and nothing is merged: shards of other
environments, of another command or of another number, and a shard or an environment that is there twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from provisioner.errors import UsageError
from provisioner.many.outcome import Outcome, Trouble, Verdict, rank
from provisioner.many.report import report_of
from provisioner.many.shards import Shard, Shards

MISSING_CODE = 1
# So many missing shards are named.
MAX_NAMED = 20


def merge_reports(reports: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """The report of all environments of some reports, each with the name of its file, for messages.

    The reports satisfy `schemas/report.schema.json`. Raises UsageError for those that are not of one run.
    """
    (first_file, first), *others = reports
    for file, report in others:
        if report["command"] != first["command"]:
            raise _not_one_run(
                f"{first_file} is of `{first['command']}`, and {file} is of `{report['command']}`"
            )
    shards = _shards(reports)
    _check_environments(reports)
    environments = [environment for _, report in reports for environment in report["environments"]]
    environments.sort(key=_order)
    codes = [MISSING_CODE] if shards and shards.count > len(shards.numbers) else []
    return report_of(first["command"], environments, shards, codes)


def missing_shards(shards: Shards) -> Iterator[int]:
    """The numbers of the shards that a report is not of, the lowest first."""
    there = set(shards.numbers)
    return (number for number in range(1, shards.count + 1) if number not in there)


def missing_words(report: Mapping[str, Any]) -> tuple[str, str] | None:
    """What of a merged report is missing, in a sentence, and what to do; None: nothing."""
    shards = _shards_of(report)
    missing = shards.count - len(shards.numbers) if shards else 0
    if not shards or not missing:
        return None
    named = ", ".join(f"{number}/{shards.count}" for number in islice(missing_shards(shards), MAX_NAMED))
    more = f" and {missing - MAX_NAMED:,} more" if missing > MAX_NAMED else ""
    number = shards.environments - len(report["environments"])
    are = "is" if missing == 1 else "are"
    told = (
        f"{missing:,} of {shards.count:,} shards {are} missing: {named}{more}; "
        f"{number} of {shards.environments} environments are not in this report"
    )
    return told, again_words(shards)


def _shards(reports: Sequence[tuple[str, Mapping[str, Any]]]) -> Shards | None:
    """Of which shards the reports are together; None where they are of none. Raises UsageError."""
    found = [(file, _shards_of(report)) for file, report in reports]
    first_file, first = found[0]
    holders: dict[int, tuple[str, Shards]] = {}
    for file, shards in found:
        if shards is None or first is None:
            if shards is not first:
                one, other = (first_file, file) if shards is None else (file, first_file)
                raise _not_one_run(f"{one} is of a shard, and {other} is of none")
            continue
        if shards.count != first.count:
            raise _not_one_run(f"{first_file} is of {first.count} shards, and {file} is of {shards.count}")
        if (shards.digest, shards.environments) != (first.digest, first.environments):
            raise _not_one_run(
                f"{first_file} and {file} are shards of different environments: {first.environments} and "
                f"{shards.environments} in all"
                + (", not the same ones" if first.environments == shards.environments else "")
            )
        for number in shards.numbers:
            if number > shards.count:
                raise _not_one_run(f"{file}: there is no shard {number}/{shards.count}")
            if number in holders:
                raise _twice(Shard(number, shards.count), (holders[number], (file, shards)))
            holders[number] = file, shards
    return Shards(tuple(sorted(holders)), first.count, first.environments, first.digest) if first else None


def _twice(shard: Shard, holders: Sequence[tuple[str, Shards]]) -> UsageError:
    """What is told of a shard that is in two files, one of which may be of an earlier merge."""
    files = " and ".join(f"in {file}" for file, _ in holders)
    merged = [file for file, shards in holders if len(shards.numbers) > 1]
    if not merged:
        hint = "leave one of them out: the later one, if the shard was done again"
        return UsageError(f"shard {shard} is there twice: {files}", hint)
    are = "is a merged report" if len(merged) == 1 else "are merged reports"
    told = f"shard {shard} is there twice: {files}; {' and '.join(merged)} {are}"
    return UsageError(told, "merge either the merged report or those of its shards")


def _shards_of(report: Mapping[str, Any]) -> Shards | None:
    told = report["shards"]
    return Shards(**{**told, "numbers": tuple(told["numbers"])}) if told else None


def _check_environments(reports: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Raises UsageError for an environment that is in two reports."""
    files: dict[tuple[Any, ...], str] = {}
    for file, report in reports:
        for environment in report["environments"]:
            other = files.setdefault(_identity(environment), file)
            if other != file:
                place = environment["source"] + (
                    f" --target {environment['target']}" * bool(environment["target"])
                )
                raise UsageError(
                    f"{environment['environment'] or place} is there twice: in {other} and in {file}",
                    "leave one of them out: the merged report, if one of them is",
                )


def _identity(environment: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(environment[key] for key in ("source", "target", "environment", "region", "account_id"))


def _order(environment: Mapping[str, Any]) -> tuple[Any, ...]:
    """As they are shown, and then by all that tells one from another."""
    return (
        *rank(environment["destroys"], environment["verdict"]),
        *(environment[key] or "" for key in ("environment", "account_id", "region", "source", "target")),
    )


def _not_one_run(message: str) -> UsageError:
    return UsageError(
        message, "merge the reports of one command, on the same specs, with the same --shard COUNT"
    )


def again_words(shards: Shards) -> str:
    """What to run again for the shards that a report is not of."""
    missing = shards.count - len(shards.numbers)
    numbers = islice(missing_shards(shards), MAX_NAMED)
    named = ", ".join(f"--shard {Shard(number, shards.count)}" for number in numbers)
    more = f" and {missing - MAX_NAMED:,} more" if missing > MAX_NAMED else ""
    which = "it again with" if missing == 1 else "each again, with"
    return f"run {which} {named}{more}, which is safe, and merge again"


def would_be_lost(report: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> str | None:
    """What would be lost if a report were replaced by that of the others, in words. None: nothing, as it is
    what an earlier merge of such reports has made."""
    shards = _shards_of(report)
    if shards is None:
        own = set(map(_identity, report["environments"]))
        theirs = {_identity(environment) for other in others for environment in other["environments"]}
        return "the report of a run of its own" if own and not own & theirs else None
    numbers = [f"{number}/{shards.count}" for number in shards.numbers]
    found = [
        told for other in others if other["command"] == report["command"] and (told := _shards_of(other))
    ]
    if len(numbers) == 1:
        is_there = any(told.count == shards.count and shards.numbers[0] in told.numbers for told in found)
        return None if is_there else f"the report of shard {numbers[0]}"
    of_run = [told for told in found if (told.count, told.digest) == (shards.count, shards.digest)]
    is_there = not of_run or any(set(told.numbers) & set(shards.numbers) for told in of_run)
    return None if is_there else f"the report of shards {', '.join(numbers[:MAX_NAMED])}"


def is_of_one_shard(report: Mapping[str, Any]) -> bool:
    """Whether a report is of a single shard, and so the only one that there may be of it."""
    shards = _shards_of(report)
    return shards is not None and len(shards.numbers) == 1


def troubles(report: Mapping[str, Any]) -> list[Outcome]:
    """What went wrong, as outcomes that have nothing else."""
    return [_outcome(environment) for environment in report["environments"] if environment["problem"]]


def _outcome(environment: Mapping[str, Any]) -> Outcome:
    problem = environment["problem"]
    keys = ("source", "target", "environment", "region", "account_id", "exit_code", "words")
    return Outcome(
        **{key: environment[key] for key in keys},
        verdict=Verdict(environment["verdict"]),
        trouble=Trouble(problem["message"], problem["hint"], problem["code"], tuple(problem["lines"])),
    )
