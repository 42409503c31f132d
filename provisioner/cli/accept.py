"""`provisioner drift --accept`: what differs now, written into the file of what is accepted."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from provisioner.canonical import jsonable
from provisioner.cli.writing import replace_file
from provisioner.drift import Difference, DriftReport
from provisioner.errors import ProvisionerError, UsageError
from provisioner.extras import install_command
from provisioner.kinds import KINDS
from provisioner.model import FieldChange
from provisioner.secrecy import looks_secret, without_credentials_at, without_listed_credentials
from provisioner.spec.accepted_drift import accepted_path, is_plain_text, read_accepted

HEADING = """\
# Differences between AWS and the specs in this folder that are accepted, each for a reason and until a day.
# `provisioner drift` reads this file; plan and apply do not.
"""
# How many differences a hint names.
MAX_NAMED = 10

Entry = dict[str, Any]


def write_accepted(spec: str, found: DriftReport, text: str, reason: str, until: date) -> Iterator[str]:
    """Accept what differs at an address, or in a field of it, as it is now: what was written, in sentences.

    Of each field its value is written too, so that only this one is accepted. Comments in the file stay.
    Raises UsageError where nothing differs, and ProvisionerError where the file cannot be written.
    """
    address, _, field = (part.strip() for part in text.strip().partition(" "))
    known = [*found.differences, *(accepted.difference for accepted in found.accepted)]
    meant = [
        difference for difference in known if str(difference.address) == address and _is_in(difference, field)
    ]
    if not meant:
        raise UsageError(f"--accept {text}: nothing differs there", _what_differs(known))
    _ruamel()
    entries: list[Entry] = []
    for entry in _entries(meant):
        whole = {"environment": found.environment, "address": address, **entry, "reason": reason}
        entries.append({**_quoted(whole), "until": until})
    path = Path(accepted_path(spec))
    before = _content(path)
    after = _with(path, before, entries).encode()
    # What was written has to be what is read.
    read_accepted(str(path), after, KINDS)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    try:
        replace_file(path, after, mode)
    except OSError as error:
        raise ProvisionerError(f"{path}: {error.strerror}", "nothing was accepted") from None
    for entry in entries:
        what = f"{address} {entry['field']}" if "field" in entry else address
        yield f"{path}: {what} is accepted with {_what_of_it(entry)} until {until}"


def _is_in(difference: Difference, field: str) -> bool:
    return not field or f"{difference.path or ''}.".startswith(f"{field}.")


def _entries(meant: Sequence[Difference]) -> list[Entry]:
    """Each field that differs, with each value that AWS has in it, once: another value is drift again.

    The value is left out where one of the field's could be a secret. What has no field is all of an address.
    """
    secret = {
        difference.path for difference in meant if difference.field and _could_be_secret(difference.field)
    }
    entries: list[Entry] = []
    for difference in meant:
        entry: Entry = {}
        if difference.field:
            value = {} if difference.path in secret else {"value": jsonable(difference.field.before)}
            entry = {"field": difference.path, **value}
        if entry not in entries:
            entries.append(entry)
    # That accepts all the others too.
    return [{}] if {} in entries else entries


def _could_be_secret(field: FieldChange) -> bool:
    value = jsonable(field.before)
    text = str(value)
    is_listed = without_listed_credentials(value, field.path) != value
    return is_listed or looks_secret(text) or without_credentials_at(field.path, text) != text


def _what_of_it(entry: Entry) -> str:
    if "field" not in entry:
        return "all that differs there"
    return "the value it has now" if "value" in entry else "any value, as it could be a secret,"


def _what_differs(known: Sequence[Difference]) -> str:
    named = list(
        dict.fromkeys(f"{difference.address} {difference.path or ''}".strip() for difference in known)
    )
    if not named:
        return "there is no drift"
    more = f" and {len(named) - MAX_NAMED} more" if len(named) > MAX_NAMED else ""
    return f"what differs: {', '.join(named[:MAX_NAMED])}{more}"


def _content(path: Path) -> str:
    if path.is_symlink():
        raise UsageError(f"{path}: is a link", "write into the file that it leads to")
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _with(path: Path, text: str, entries: Sequence[Entry]) -> str:
    """The text of a file with these entries; those that are there get the new reason and day."""
    lines = text.splitlines()
    if any(line.split("#")[0].rstrip() == "..." for line in lines):
        raise UsageError(
            f"{path}: a line `...` ends its list, so none can be added", "take that line out and try again"
        )
    ruamel, guess_indent = _ruamel()
    yaml = ruamel()
    yaml.preserve_quotes = True
    yaml.width = 4096
    listed, sequence, offset = guess_indent(text, yaml=yaml) if text.strip() else (None, None, None)
    yaml.indent(sequence=sequence or 2, offset=offset or 0)
    is_known = {_key(entry) for entry in listed or ()}
    if listed is None:
        if any(line.strip() not in ("", "---") and not line.lstrip().startswith("#") for line in lines):
            raise UsageError(f"{path}: has no list of entries to add one to", "empty the file, or remove it")
        # Comments alone would belong to no entry.
        return f"{text.rstrip() or HEADING.rstrip()}\n\n{_dumped(yaml, list(entries))}"
    is_block = listed and not listed.fa.flow_style()
    if is_block and not any(_key(entry) in is_known for entry in entries):
        # What is there stays to the last space.
        return f"{text.rstrip()}\n{_dumped(yaml, list(entries))}"
    if not listed:
        listed.fa.set_block_style()
    for entry in entries:
        same = next((candidate for candidate in listed if _key(candidate) == _key(entry)), None)
        if same is None:
            listed.append(entry)
        else:
            same.update(entry)
    return _dumped(yaml, listed)


def _key(entry: Any) -> tuple[Any, ...]:
    """What an entry accepts. A value that is not there is any, and no text is a number."""
    value = json.dumps(entry["value"], sort_keys=True, default=str) if "value" in entry else None
    return entry.get("address"), entry.get("field"), value, entry.get("environment")


def _quoted(value: Any) -> Any:
    """A value with those texts in quotes that YAML 1.1, which specs are read as, takes for something else."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    match value:
        case dict():
            return {key: _quoted(inner) for key, inner in value.items()}
        case list():
            return [_quoted(inner) for inner in value]
        case str() if not is_plain_text(value):
            return DoubleQuotedScalarString(value)
    return value


def _dumped(yaml: Any, data: Any) -> str:
    stream = io.StringIO()
    yaml.dump(data, stream)
    return stream.getvalue()


def _ruamel() -> tuple[Any, Any]:
    try:
        from ruamel.yaml import YAML
        from ruamel.yaml.util import load_yaml_guess_indent
    except ImportError:
        raise UsageError(
            "--accept keeps the comments of the file, and needs ruamel.yaml for that",
            f"{install_command('accept')}; or write the entry by hand, as in docs/drift.md",
        ) from None
    return YAML, load_yaml_guess_indent
