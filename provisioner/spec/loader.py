"""From a file to an Environment, or to everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from provisioner.errors import Problem, SpecError
from provisioner.expiry.times import Expiry, TimeProblem, parse_expiry
from provisioner.kinds.base import AnyKind, Path
from provisioner.model import Address, Desired, Environment, Login
from provisioner.naming import partition_of
from provisioner.spec.document import Document
from provisioner.spec.explain import explain, once
from provisioner.spec.reading import MAX_FOUND, Enough, Reading, SpecEntry
from provisioner.spec.regions import SKIP, region_problem
from provisioner.spec.schemas import schema
from provisioner.spec.tags import tag_problems
from provisioner.spec.targets import account_of, compose
from provisioner.spec.wording import Suggestions


def load(
    path: str,
    kinds: Sequence[AnyKind],
    root: str | None = None,
    needs_contents: bool = True,
    target: str | None = None,
) -> Environment:
    """The environment that a spec describes; the files that it names have to be below `root`, if given.

    `target`: which of its targets is meant; None for a spec that has none.

    Not `needs_contents`: for whoever only looks, moves an end or destroys. Then the files that the spec
    names may be missing, and what is wrong in them is no problem; all else is checked as always.

    Raises SpecError with all problems at once. What cannot be read as YAML is told alone; an entry that its
    schema refuses is not looked at further, the others are; entries are compared with each other when each
    of them is fine.
    """
    return load_with_document(path, kinds, root, needs_contents, target)[0]


def load_with_document(
    path: str,
    kinds: Sequence[AnyKind],
    root: str | None = None,
    needs_contents: bool = True,
    target: str | None = None,
) -> tuple[Environment, Document]:
    """The same, and the document, which knows the places in the files. Raises SpecError."""
    suggestions = Suggestions()
    document, source, others, _ = compose(path, root, target, suggestions)
    reading = Reading(document, source, needs_contents, others, suggestions)
    try:
        return _environment(reading, kinds, target), document
    except Enough:
        raise SpecError(reading.problems, stopped=True) from None


@cache
def _schema(kinds: tuple[AnyKind, ...]) -> Mapping[str, Any]:
    """The schema of a spec: put together once, however many specs are read. Nobody may change it."""
    return schema(kinds)


def _environment(reading: Reading, kinds: Sequence[AnyKind], target: str | None) -> Environment:
    document, spec = reading.document, reading.spec
    found = explain(document, _schema(tuple(kinds)), reading.suggestions, MAX_FOUND)
    for problem in once(found):
        reading.report(problem)
    if len(found) >= MAX_FOUND:
        raise Enough
    bad = {path[:2] for path, _ in found}
    for _, problem in tag_problems(document, spec, kinds):
        reading.report(problem)
    region = spec.get("region")
    if isinstance(region, str) and not any(path == ("region",) for path, _ in found):
        wrong = None if spec.get(SKIP) is True else region_problem(region, reading.suggestions)
        if wrong:
            reading.report(document.problem(("region",), *wrong))
    for problem in _login_problems(document, spec, {path for path, _ in found}):
        reading.report(problem)
    expires = _expires(reading, spec) if not any(path == ("expires",) for path, _ in found) else None
    # A name that is refused must not show up in further problems, such as names made from it being too long.
    named_wrongly = any(path == ("environment",) for path, _ in found)
    name = "" if named_wrongly else spec.get("environment", "")
    resources: dict[Address, Desired] = {}
    for kind in kinds:
        for key, raw in _entries(spec, kind):
            if (kind.section, key) not in bad:
                entry = SpecEntry(reading, (kind.section, key), name)
                resources[Address(kind.name, key)] = kind.parse(key, raw, entry)
    if not reading.problems:
        for problem in _between(document, kinds, resources):
            reading.report(problem)
    if reading.problems:
        raise SpecError(reading.problems)
    return Environment(
        name=spec["environment"],
        region=spec["region"],
        account_id=spec.get("account_id") or account_of(spec.get("role_arn")),
        tags=dict(spec.get("tags", {})),
        ignore_tags=tuple(spec.get("ignore_tags", ())),
        resources=resources,
        source=document.file,
        suspects=reading.suspects(),
        expires=expires,
        target=target,
        login=_login(spec),
        prove=spec.get("prove"),
    )


def _login(spec: Mapping[str, Any]) -> Login | None:
    login = Login(spec.get("profile"), spec.get("role_arn"), spec.get("external_id"))
    return None if login == Login() else login


def _login_problems(
    document: Document, spec: Mapping[str, Any], wrong: Collection[Path]
) -> Iterator[Problem]:
    """What a schema cannot say of who logs in."""
    if "external_id" in spec and "role_arn" not in spec:
        removed = document.removed.get(("role_arn",))
        gone = f", where `role_arn` is removed in {removed}" if removed else ""
        hint = f"give the role as well, or remove it{gone}"
        yield document.problem(("external_id",), "goes with `role_arn`, which is missing", hint, at_key=True)
    role, region = spec.get("role_arn"), spec.get("region")
    if isinstance(role, str) and isinstance(region, str) and ("role_arn",) not in wrong:
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
        of_role, of_region = role.split(":")[1], partition_of(region)
        if of_region and of_role != of_region:
            message = f"the role is in the partition {of_role}, and {region} is in {of_region}"
            hint = "correct one of them: no session reaches from one partition into another"
            yield document.problem(("role_arn",), message, hint)
    account, own = spec.get("account_id"), account_of(spec.get("role_arn"))
    if account and own and account != own and ("account_id",) not in wrong and ("role_arn",) not in wrong:
        place, file = document.position(("account_id",)), document.file_of(("account_id",))
        where = f"{file}:{place.line}:{place.column}"
        message = f"the role is in account {own}, and `account_id` in {where} is {account}"
        yield document.problem(("role_arn",), message, "correct one of them")


def _expires(reading: Reading, spec: Mapping[str, Any]) -> Expiry | None:
    if "expires" not in spec:
        return None
    try:
        return parse_expiry(spec["expires"])
    except TimeProblem as problem:
        reading.report(reading.document.problem(("expires",), problem.message, problem.hint))
        return None


def _entries(spec: Mapping[str, Any], kind: AnyKind) -> list[tuple[str, Mapping[str, Any]]]:
    section = spec.get(kind.section)
    if not isinstance(section, dict):
        return []
    return [(key, raw) for key, raw in section.items() if isinstance(raw, dict)]


def _between(
    document: Document, kinds: Sequence[AnyKind], resources: Mapping[Address, Desired]
) -> list[Problem]:
    return [
        document.problem((kind.section, address.key, *path), message, at_key=not path)
        for kind in kinds
        for address, path, message in kind.check(
            {address: entry for address, entry in resources.items() if address.kind == kind.name}
        )
    ]
