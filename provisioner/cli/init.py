"""`provisioner init`: a first spec, from a few answers."""

from __future__ import annotations

import os
import re
import stat
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from provisioner.cli.common import say
from provisioner.cli.help import Command
from provisioner.cli.options import YES
from provisioner.errors import ProvisionerError, SpecError, UsageError
from provisioner.spec.new_spec import NEVER, Answers, new_spec, this_evening

MODE = 0o644
SCHEMA = Path("schemas", "environment.schema.json")
# The public keys that EC2 imports: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/create-key-pairs.html
_KEYS = ("ssh-ed25519 ", "ssh-rsa ")
NONE = "none"


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
    if file:
        _check_target(Path(file), force)

    def answer(given: Any, question: str, default: Any, kind: Any = str) -> Any:
        if given is not None or yes:
            return default if given is None else given
        return click.prompt(question, default=default, type=kind)

    keys = _public_keys()
    name = answer(environment, "Name of the environment", _name_for(file))
    target = Path(file or f"{name}.yaml")
    if not file:
        _check_target(target, force)
    answers = Answers(
        environment=name,
        region=answer(region, "Region", _region()),
        count=answer(count, "Servers", 1, click.IntRange(0, 5000)),
        instance_type=answer(instance_type, "Instance type", "t3.micro"),
        key=_or_none(answer(key, "Public key in ~/.ssh", keys[0] if keys else NONE), NONE),
        expires=_or_none(answer(expires, "Ends", this_evening(datetime.now().astimezone())), NEVER),
        schema=_schema_beside(target),
    )
    _write(target, new_spec(answers))
    say(f"{target} is written. See what it would do: provisioner plan {target}")
    say(f"  then: provisioner apply {target}; without an account: add --local")
    if answers.key is None:
        say("  without a key pair: log in by Session Manager, or add one as the file says")


def _write(target: Path, text: str) -> None:
    """Write a spec that is one: what is wrong with an answer is told before. Raises SpecError."""
    from provisioner.cli.writing import replace_file
    from provisioner.kinds import KINDS
    from provisioner.spec import load

    with tempfile.TemporaryDirectory() as folder:
        tried = Path(folder) / (target.name or "spec.yaml")
        tried.write_text(text, encoding="utf-8")
        try:
            load(str(tried), KINDS)
        except SpecError as error:
            problem = error.problems[0]
            hint = f"give another one{f'; {problem.hint}' if problem.hint else ''}"
            raise UsageError(f"this makes no spec: {problem.message}", hint) from None
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
