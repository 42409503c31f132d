"""The reference of the spec as markdown, from its schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from provisioner.spec.schemas import Section, resolve, schema
from provisioner.spec.wording import allowed

_INTRODUCTION = """\
# The spec

<!-- Written by `python -m provisioner.spec.generate` from the files under schemas/; change those. -->

A spec is one YAML file that describes one environment: everything that should exist for it in one AWS
account and one region. Complete ones, with comments, are under [specs/](../specs).

- **Every field that is left out means one definite thing**, given below as "absent means". There is no
  third meaning such as "whatever it was". To leave a field out, remove its line: a field with nothing
  behind it is a mistake.
- **What AWS chooses is not compared.** Where this page says so, whatever AWS has there is fine.
- **Fields that are not listed are mistakes**, and so are keys that are given twice.
- **Entries are called by their key.** The key is what other entries refer to, and what a plan shows, as in
  `fleet/collector`. Keys are {key}.
- **Put in quotes** what YAML would read as something else than text: account ids, dates such as
  `"2012-10-17"`, versions such as `"1.10"`, and `"yes"`, `"no"`, `"on"`, `"off"`.
  In policies, too, what would not be sent as it is written is a mistake: `NO` would be sent as `false`,
  `1.10` as `1.1`. Whole numbers, `true` and `false` are sent as they are.
- **Files** are named relative to the folder of the spec, and have at most 1 MiB, 4 MiB together. They have
  to be regular files in the Git repository that the spec is in or, if it is in none, in the folder of the
  spec; `--root DIR` names another folder. Links are resolved first, of the spec too. What is in `.git`
  counts as outside, and so does the home folder. A spec that is right in `/` or in the home folder may name
  the visible files beside it.
- **Policies in files** are JSON in UTF-8; keys that are given twice and what JSON does not have are mistakes.
- **A spec** is a regular file of at most 1 MiB with at most 50,000 lines and 15,000 values.
- **`extends` and `targets`** lay files over each other, and make one spec of many environments: [how that is
  merged](composition.md). `KEY: !remove` deletes an inherited key.
- **Anchors, aliases and merge keys** (`&`, `*`, `<<`) work as in any YAML.

Editors that know JSON Schema complete and check a spec whose first line is

```yaml
# yaml-language-server: $schema=../schemas/environment.schema.json
```

with the path from the spec to that file; `provisioner schema` prints it.

The smallest spec has an environment and a region and asks for nothing:

```yaml
environment: outages-dev
region: us-east-1
```
"""

_HEADER = "| field | takes | absent means | |\n|---|---|---|---|"


def markdown(kinds: Iterable[Section]) -> str:
    """The reference of a spec with these kinds."""
    kinds = tuple(kinds)
    whole = schema(kinds)
    parts = [
        _INTRODUCTION.replace("{key}", allowed(whole["$defs"]["key"], whole)),
        "## The environment\n",
        whole["description"] + "\n",
        "\n".join([_HEADER, *_rows(_without_entries(whole, kinds), whole)]) + "\n",
        _tags(whole),
    ]
    for kind in kinds:
        entry = whole["$defs"][kind.name]
        parts += [
            f"## {kind.section}\n",
            f"{entry['description']} A mapping of keys to entries; each entry has these fields.\n",
            *_rules(entry),
            "\n".join([_HEADER, *_rows(entry, whole)]) + "\n",
        ]
    return "\n".join(parts)


def _without_entries(whole: Mapping[str, Any], kinds: Iterable[Section]) -> Mapping[str, Any]:
    """The environment with its sections as mere mappings: each has a chapter of its own."""
    sections = {kind.section: whole["properties"][kind.section] for kind in kinds}
    bare = {name: {**part, "additionalProperties": True} for name, part in sections.items()}
    return {**whole, "properties": {**whole["properties"], **bare}}


def _tags(whole: Mapping[str, Any]) -> str:
    tags = whole["$defs"]["tags"]
    keys, values = (allowed(tags[part], whole) for part in ("propertyNames", "additionalProperties"))
    return (
        f"Tags, here and in every entry: a key is {keys}. A value is {values}. An entry and the environment "
        f"together have at most {tags['maxProperties']}. The rest of the 50 that AWS takes is for "
        "provisioner's own.\n"
    )


def _rules(entry: Mapping[str, Any]) -> Iterator[str]:
    if "oneOf" in entry:
        names = " and ".join(f"`{branch['required'][0]}`" for branch in entry["oneOf"])
        yield f"Each needs exactly one of {names}.\n"
    if "not" in entry:
        names = " and ".join(f"`{name}`" for name in entry["not"]["required"])
        yield f"{names} cannot be given together.\n"


def _rows(
    part: Mapping[str, Any], whole: Mapping[str, Any], before: str = "", mandatory: str = "**required**"
) -> Iterator[str]:
    required = part.get("required", ())
    for name, written in part.get("properties", {}).items():
        field = resolve(written, whole)
        about, _, absent = field.get("description", "").partition(" Absent: ")
        absent = mandatory if name in required else _cell(absent.removesuffix("."))
        takes = _cell(allowed(field, whole))
        source = f" ([AWS]({field['x-source']}))" if "x-source" in field else ""
        yield f"| `{before}{name}` | {takes} | {absent} | {_cell(about)}{source} |"
        for inner, mark, is_form in _inside(field, whole):
            needed = "**required** in this form" if is_form else "**required**"
            yield from _rows(inner, whole, f"{before}{name}{mark}.", needed)


def _inside(
    field: Mapping[str, Any], whole: Mapping[str, Any], mark: str = ""
) -> Iterator[tuple[Mapping[str, Any], str, bool]]:
    """The parts of a field that have fields of their own.

    Each with how its path goes on, and whether it is one of several forms that the field can have.
    """
    forms = _branches(field, whole)
    for form in forms:
        if "properties" in form:
            yield form, mark, len(forms) > 1
        if "items" in form:
            yield from _inside(form["items"], whole, f"{mark}[]")
        if isinstance(form.get("additionalProperties"), dict):
            yield from _inside(form["additionalProperties"], whole, f"{mark}.*")


def _branches(field: Mapping[str, Any], whole: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    field = resolve(field, whole)
    return [resolve(branch, whole) for branch in field["anyOf"]] if "anyOf" in field else [field]


def _cell(text: str) -> str:
    """A text inside a table: what looks like markup is code, so that it is shown as it is."""
    for mark in ("<environment>-<key>", "{index:02d}", "{index}"):
        text = text.replace(mark, f"`{mark}`")
    return text.replace("|", "\\|").replace("*", "\\*").replace("_+=", "\\_+=").replace("\n", " ")
