"""`provisioner init`: a first spec, from a few answers."""

from __future__ import annotations

import os
import re
import stat
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from provisioner.cli.common import SpecFile, say
from provisioner.cli.help import Command
from provisioner.cli.options import YES
from provisioner.cli.writing import names_folder, replace_file
from provisioner.errors import ProvisionerError, SpecError, UsageError
from provisioner.visible import as_typed

if TYPE_CHECKING:
    from provisioner.spec.new_spec import Answers

MODE = 0o644
SCHEMA = Path("schemas", "environment.schema.json")
# The public keys that EC2 imports: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/create-key-pairs.html
_KEYS = ("ssh-ed25519 ", "ssh-rsa ")
NONE = "none"
# What `expires` is where it does not end.
NEVER = "never"
# What is asked for, by the field of Answers.
QUESTIONS = {
    "environment": "Name of the environment",
    "region": "Region",
    "count": "Servers",
    "instance_type": "Instance type",
    "key": "Public key in ~/.ssh",
    "expires": "Ends",
}


@click.command(cls=Command)
@click.argument("file", required=False, type=click.Path())
@click.option("--environment", metavar="NAME", help="Its name; by default that of the file or the folder.")
@click.option("--region", metavar="REGION", help="By default $AWS_REGION, or us-east-1.")
@click.option("--count", type=click.IntRange(0, 5000), help="How many servers.  [default: 1]")
@click.option("--instance-type", metavar="TYPE", help="Of which type.  [default: t3.micro]")
@click.option("--key", metavar="NAME", help="A .pub file in ~/.ssh, or `none`; by default the first.")
@click.option(
    "--expires", metavar="WHEN", help="A time with offset, a duration, or `never`; by default this evening."
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@YES
def init(
    file: str | None,
    environment: str | None,
    region: str | None,
    count: int | None,
    instance_type: str | None,
    key: str | None,
    expires: str | None,
    force: bool,
    yes: bool,
) -> None:
    """Write a first spec: servers with a role, a way in, and an end. Asks what it is not told."""
    if not yes and not sys.stdin.isatty():
        raise UsageError("init asks a few questions, and there is no terminal to ask on", "say --yes")
    if file is not None:
        if names_folder(file):
            raise UsageError(f"{file!r} is not the name of a file", "give a name such as crunch.yaml")
        _check_target(Path(file), force)

    from provisioner.spec.new_spec import Answers, new_spec, this_evening

    given = {
        "environment": environment,
        "region": region,
        "count": count,
        "instance_type": instance_type,
        "key": key,
        "expires": expires,
    }
    keys = _public_keys()
    usual = {
        "environment": _name_for(file),
        "region": _region(),
        "count": 1,
        "instance_type": "t3.micro",
        "key": keys[0] if keys else NONE,
        "expires": this_evening(datetime.now().astimezone()),
    }
    answers = Answers(environment="new", key=None)
    # What is wrong with an option is told before anything is asked.
    for field, value in given.items():
        if value is not None:
            answers = _with(answers, field, value, f"--{field.replace('_', '-')}")
    for field, question in QUESTIONS.items():
        if given[field] is None:
            answers = _answered(answers, field, question, usual[field], yes)
    target = Path(file or f"{answers.environment}.yaml")
    # Also where it was checked before: somebody may have made it while the questions were answered.
    _check_target(target, force)
    _write(target, new_spec(replace(answers, schema=_schema_beside(target))))
    _say_what_next(target, answers)


def _answered(answers: Answers, field: str, question: str, usual: Any, yes: bool) -> Answers:
    """The answers with one more: what is usual, or what somebody types, until that is right."""
    if yes:
        return _with(answers, field, usual, question)
    made = answers

    def take(text: str) -> str:
        nonlocal made
        try:
            made = _with(answers, field, text, question)
        except UsageError as error:
            # The one that click tells before it asks again.
            raise click.UsageError("; ".join(filter(None, (error.message, error.hint)))) from None
        return text

    click.prompt(question, default=usual, value_proc=take)
    return made


def _with(answers: Answers, field: str, value: Any, label: str) -> Answers:
    """The answers with another one, of which the loader makes a spec. Raises UsageError, after `label`."""
    from provisioner.spec.new_spec import new_spec

    if field == "count":
        value = click.IntRange(0, 5000).convert(value, None, None)
    elif field in ("key", "expires"):
        value = _or_none(value, NONE if field == "key" else NEVER)
    if field == "expires" and value is not None:
        _check_end(value, label)
    made = replace(answers, **{field: value})
    _check(new_spec(made), label)
    return made


def _check_end(text: str, label: str) -> None:
    """Raises UsageError for an end that is none, or is past already."""
    from provisioner.expiry.times import TimeProblem, parse_expiry

    try:
        end = parse_expiry(text)
    except TimeProblem as problem:
        raise UsageError(f"{label}: {problem.message}", problem.hint) from None
    if end.at is not None and end.at <= datetime.now(UTC):
        raise UsageError(f"{label}: {text} is past", "give a later time, or a duration such as 8h")


def _say_what_next(target: Path, answers: Answers) -> None:
    from provisioner.aws.connect import Options
    from provisioner.cli.next_steps import command

    options = Options()
    spec = SpecFile(str(target))
    say(f"{as_typed([spec.path])} is written. See what it would do: {command('plan', spec, options)}")
    without = "" if options.is_local else "; without an account: add --local"
    say(f"  then: {command('apply', spec, options)}{without}")
    if answers.key is None:
        say("  without a key pair: log in by Session Manager, or add one as the file says")


def _check(text: str, label: str) -> None:
    """Raises UsageError where the loader does not take a spec, with its words after `label`."""
    from provisioner.kinds import KINDS
    from provisioner.spec import load

    with tempfile.TemporaryDirectory() as folder:
        tried = Path(folder) / "spec.yaml"
        tried.write_text(text, encoding="utf-8")
        try:
            load(str(tried), KINDS)
        except SpecError as error:
            problem = error.problems[0]
            raise UsageError(f"{label}: {problem.message}", problem.hint) from None


def _write(target: Path, text: str) -> None:
    try:
        replace_file(target, text.encode(), MODE)
    except OSError as error:
        raise ProvisionerError(f"{target}: {error.strerror or error}", "give another file") from None


def _check_target(target: Path, force: bool) -> None:
    """Raises UsageError where no spec may be written: over anything, but for --force, and no folder then."""
    if target.suffix not in (".yaml", ".yml"):
        raise UsageError(f"{target}: a spec is YAML", f"give a name such as {target.stem or 'crunch'}.yaml")
    if not os.path.isdir(target.parent):  # noqa: PTH112  Path.is_dir raises for names that are too long
        raise UsageError(f"{target}: there is no folder {target.parent}", "make it first")
    try:
        mode = target.lstat().st_mode
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        why = (isinstance(error, OSError) and error.strerror) or "is not the name of a file"
        raise UsageError(f"{target}: {why}", "give another file") from None
    if not stat.S_ISREG(mode):
        raise UsageError(f"{target}: is not a regular file", "give the name of a file")
    if not force:
        raise UsageError(f"{target}: is there already", "give another file, or say --force to replace it")


def _public_keys() -> list[str]:
    """The files of ~/.ssh with a public key that EC2 takes, the usual one first."""
    try:
        files = sorted(Path.home().glob(".ssh/*.pub"), key=lambda path: (path.name != "id_ed25519.pub", path))
    except (RuntimeError, OSError):
        return []
    return [path.name for path in files if _begins_as_key(path)]


def _begins_as_key(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(16).startswith(_KEYS)
    except (OSError, ValueError):
        return False


def _name_for(file: str | None) -> str:
    """The name of the file or the folder, as that of an environment."""
    called = Path(file).stem if file else Path.cwd().name
    return re.sub(r"[^a-z0-9-]+", "-", called.lower()).strip("-")[:32] or "crunch"


def _region() -> str:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"


def _or_none(text: str, none: str) -> str | None:
    return None if text.strip().lower() == none else text.strip()


def _schema_beside(target: Path) -> str | None:
    """The path of the JSON Schema from the folder of a spec, where that is in a checkout."""
    folder = target.absolute().parent
    for above in ("", "..", "../.."):
        if (folder / above / SCHEMA).is_file():
            return str(Path(above) / SCHEMA)
    return None
