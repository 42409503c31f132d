"""Plans in files: written for whoever approves one, and read again by whoever applies what was approved."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from provisioner.cli.writing import names_folder, replace_file
from provisioner.errors import ProvisionerError, UsageError
from provisioner.render.as_json import FORMAT_VERSION, is_digest, plan_digest
from provisioner.secrecy import without_secrets
from provisioner.spec.files import FileProblem, Source, read_source
from provisioner.visible import as_typed

# A plan of 1,000 members takes less than one.
MAX_MIB = 64
# Whoever may read a plan knows names, addresses and policies.
MODE = 0o600
# What people call what `plan --format` prints, and the format of each.
FOR_PEOPLE = {".html": "html", ".htm": "html", ".md": "markdown", ".markdown": "markdown", ".txt": "text"}
MAKE_ONE = "make one with `provisioner plan SPEC --out FILE`"


def check_target(path: str, is_forced: bool) -> None:
    """Raises UsageError where no plan may be written: over what is no plan, but for `is_forced`, and never
    under a name of what is for people."""
    if path and names_folder(path):
        raise UsageError(f"--out {path}: is the name of a folder", "give the name of a file")
    if is_digest(path):
        raise UsageError(
            f"--out {path}: --expect would take this for a digest", "give a name such as plan.json"
        )
    target = Path(path)
    form = FOR_PEOPLE.get(target.suffix.lower())
    if form:
        raise UsageError(
            f"--out {path}: writes JSON, for --expect; this is the name of something for people to read",
            f"give a name such as plan.json; for people: `plan SPEC --format {form} > {as_typed([path])}`",
        )
    if not os.path.isdir(target.parent):  # noqa: PTH112  Path.is_dir raises for names that are too long
        raise UsageError(f"--out {path}: there is no folder {target.parent}", "make it first")
    try:
        mode = target.lstat().st_mode
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise UsageError(f"--out {path}: {_why(error)}", "give another file") from None
    if not stat.S_ISREG(mode):
        raise UsageError(f"--out {path}: is not a regular file", "give the name of a file")
    if not is_forced:
        try:
            read_plan(path)
        except UsageError:
            hint = "give another file, or say --force to replace it"
            raise UsageError(f"--out {path}: there is a file that is not a plan", hint) from None


def write_plan(path: str, data: Mapping[str, Any]) -> None:
    """Write a plan, whole or not at all. Raises ProvisionerError where that fails."""
    target = Path(path)
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    # Names of files that are not UTF-8 are escaped, which in JSON is the same text: \udcff.
    content = "\n".join(map(without_secrets, text.split("\n"))).encode(errors="backslashreplace")
    try:
        replace_file(target, content, MODE)
    except OSError as error:
        raise ProvisionerError(f"--out {path}: {_why(error)}", "the plan was not written") from None


class Form(NamedTuple):
    """What a file is to hold: what that is called, its schema and version, and how one is made.

    `others`: what else it may be, with what to do then, by a field that only those have.
    """

    noun: str
    schema: str
    version: int
    make_one: str
    others: Mapping[str, tuple[str, str]]


PLAN = Form(
    "plan",
    "plan.schema.json",
    FORMAT_VERSION,
    MAKE_ONE,
    {"command": ("a report of many specs", "name all of these, or give the plan of this one")},
)


def read_plan(path: str) -> dict[str, Any]:
    """The plan in a file, as JSON data that satisfies its schema. Raises UsageError."""
    data = read_form(path, PLAN)
    if plan_digest(data) != data["digest"]:
        raise UsageError(f"{path}: the plan was changed after it was made: its digest is another", MAKE_ONE)
    return data


def read_form(path: str, form: Form) -> dict[str, Any]:
    """The JSON data in a file, which satisfies the schema of its form. Raises UsageError."""
    noun, make_one = form.noun, form.make_one
    content = _content(path, make_one)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise UsageError(f"{path}: the file is not UTF-8, so it is not a {noun}", make_one) from None
    try:
        data = json.loads(text, parse_constant=_refuse_constant)
        for field, (what, then) in form.others.items():
            if isinstance(data, dict) and field in data:
                raise UsageError(f"{path}: the file is {what}, not a {noun}", then)
        version = data.get("format_version") if isinstance(data, dict) else None
        if isinstance(version, int) and version != form.version:
            raise UsageError(
                f"{path}: the {noun} has format {version}, and this version reads {form.version}",
                f"make the {noun} with the version that applies it",
            )
        _check(path, data, form)
    except json.JSONDecodeError as error:
        raise UsageError(
            f"{path}:{error.lineno}:{error.colno}: this is not JSON: {error.msg}", make_one
        ) from None
    except (RecursionError, ValueError):
        # Numbers of thousands of digits, and lists in lists in lists.
        raise UsageError(f"{path}: the file is not a {noun}", make_one) from None
    return data  # type: ignore[no-any-return]


def _content(path: str, make_one: str) -> bytes:
    try:
        # What is judged is what is read: a link could lead to another file a moment later.
        whole = Path(os.path.realpath(Path(path).parent)) / Path(path).name
        if whole.is_symlink():
            raise UsageError(f"{path}: is a link", "give the file that it leads to")
        return read_source(Source(whole, whole.parent, ""), MAX_MIB * 1024 * 1024)
    except FileProblem as problem:
        raise UsageError(f"{path}: the file {problem}", problem.hint or make_one) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {_why(error)}", make_one) from None


def _check(path: str, data: Any, form: Form) -> None:
    """Raises UsageError for what does not satisfy the schema of its form."""
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource

    from provisioner.kinds import schema_folder

    def retrieve(name: str) -> Any:
        return Resource.from_contents(json.loads((schema_folder() / name).read_text(encoding="utf-8")))

    schema = retrieve(form.schema).contents
    validator = Draft202012Validator(schema, registry=Registry(retrieve=retrieve))  # type: ignore[call-arg]
    wrong = next(iter(validator.iter_errors(data)), None)
    if wrong is not None:
        where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in wrong.absolute_path)
        place = f", at {where.removeprefix('.')[:100]}" if where else ""
        raise UsageError(
            f"{path}: the file is not a {form.noun} of this version of provisioner{place}", form.make_one
        )


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _why(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or "is not the name of a file"
