"""Files of up to a megabyte that are made to take time or memory, each by another way through the reader.

`LARGE` grow until they are a megabyte; `FULL` stop just below what a spec may hold, so that all of it is
read, checked and told about.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count

SIZE = 1024 * 1024
# Of values; keys come on top. A spec of 15,000 is taken.
FULL_VALUES = 14_500
HEAD = "environment: test\nregion: us-east-1\n"
FLEET = "count: 1, image: ami-0123456789abcdef0, instance_type: t3.micro"
STATEMENT = "Effect: Allow, Action: '*', Resource: '*'"
POLICY = "roles:\n  r:\n    inline_policies:\n      p:\n        Version: '2012-10-17'\n        Statement:\n"
CONDITION = (
    f"{POLICY}          - Effect: Allow\n            Action: '*'\n            Resource: '*'\n"
    "            Condition:\n"
)


def filled(unit: str, start: str = "a: ", end: str = "") -> Callable[[], str]:
    """One thing again and again."""
    room = SIZE - len((HEAD + start + end).encode())
    return lambda: HEAD + start + unit * (room // len(unit.encode())) + end


def lines(line: Callable[[int], str], start: str = "", values: int = 1, end: str = "") -> Callable[[], str]:
    """Numbered lines, each with so many values; `values=0`: as many as fit into a megabyte."""

    def made() -> str:
        if values:
            return HEAD + start + "".join(line(number) for number in range(FULL_VALUES // values)) + end
        size = len(HEAD + start)
        text = []
        for number in count():
            text.append(line(number))
            size += len(text[-1])
            if size > SIZE:
                return HEAD + start + "".join(text[:-1])
        raise AssertionError

    return made


LARGE: dict[str, Callable[[], str]] = {
    # Nesting.
    "flow lists in each other": filled("["),
    "flow mappings in each other": filled("{a: "),
    "block lists in each other": filled("- ", "a:\n"),
    "question marks": filled("? ", ""),
    "block mappings in each other": lambda: HEAD + "".join(" " * depth + "a:\n" for depth in range(1400)),
    # Long things.
    "plain text": filled("x"),
    "plain words": filled("x "),
    "words without a key": lambda: "x y " * (SIZE // 4),
    "double quotes": filled("x", 'a: "', '"'),
    "escapes": filled("\\n", 'a: "', '"'),
    "single quotes": filled("''", "a: '", "'"),
    "empty lines in quotes": filled("\n", 'a: "', '"'),
    "a text over lines": filled("x\n  "),
    "a literal text": filled("  x\n", "a: |\n"),
    "a folded text": filled("  x\n", "a: >\n"),
    "a key": filled("x", "", ": v"),
    "a key in quotes": filled("x", '? "', '"\n: v'),
    "a tag": filled("x", "a: !", " v"),
    "a tag of escapes": filled("%41", "a: !<", "> v"),
    "an anchor": filled("x", "a: &", " v"),
    "an alias": filled("x", "a: *"),
    "emoji": filled("\U0001f600"),
    "marks of direction": filled("\u202e"),
    "line separators": filled("\u2028", "a: b\n"),
    "a comment": filled("#", ""),
    "spaces": filled(" ", ""),
    "tabs": filled("\t", ""),
    # Numbers.
    "base 60": filled(":59", "a: 1"),
    "base 60 with a fraction": filled(":59", "a: 1", ".5"),
    "digits": filled("9"),
    "digits and underscores": filled("_0", "a: 1"),
    "base 16": filled("f", "a: 0x"),
    "base 8": filled("7", "a: 0"),
    "base 2": filled("1", "a: 0b"),
    "an exponent": filled("1", "a: 1.0e+"),
    "a fraction": filled("1", "a: 1."),
    "a date": filled("1", "a: 2001-12-14 21:59:43."),
    # Many things.
    "line feeds": filled("\n", ""),
    "comments": filled("#\n", ""),
    "documents": filled("---\n", ""),
    "directives": lambda: "%FOO\n" * (SIZE // 5),
    "directives of tags": lambda: "".join(f"%TAG !a{number}! b\n" for number in range(50_000)),
    "keys": lines(lambda number: f"k{number}: v\n", values=0),
    "one key": filled("a: b\n", ""),
    "explicit keys": filled("? a\n: b\n", ""),
    "numbers in a list": filled("1,", "a: [", "1]"),
    "commas": filled(",", "a: ["),
    "colons": filled(":", "a: {"),
    "anchors": lines(lambda number: f"k{number}: &a{number} v\n", values=0),
    "aliases": filled("*a,", "x: &a v\ny: [", "1]"),
    "merges": lines(lambda number: f"k{number}: {{<<: *a}}\n", "x: &a {b: 1, c: 2}\n", values=0),
    "merges of one key": lines(
        lambda number: f"k{number}: {{<<: *a}}\n", "x: &a {" + "b: 1, " * 2000 + "}\n", values=0
    ),
    "merges in one": filled("*a,", "x: &a {b: 1}\ny: {<<: [", "*a]}"),
    "tags": lines(lambda number: f"k{number}: !x{number} v\n", values=0),
    "laughs": lambda: (
        HEAD
        + "a0: &a0 [x]\n"
        + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    ),
    "merged laughs": lambda: (
        HEAD
        + "a0: &a0 {x: 1}\n"
        + "".join(f"a{n}: &a{n} {{<<: [{','.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 30))
    ),
    "json": lambda: json.dumps({"environment": "t", "region": "us-east-1", "tags": [None] * 160_000}),
}

FULL: dict[str, Callable[[], str]] = {
    # Taken.
    "roles": lines(lambda number: f"  k{number}: {{}}\n", "roles:\n"),
    "fleets": lines(lambda number: f"  k{number}: {{{FLEET}, tags: {{a: b}}}}\n", "fleets:\n", values=6),
    "policies": lines(
        lambda number: (
            f"  r{number}: {{inline_policies: {{p: {{Version: '2012-10-17', "
            f"Statement: {{{STATEMENT}}}}}}}}}\n"
        ),
        "roles:\n",
        values=8,
    ),
    "instances": lines(
        lambda number: f"      - i-{number:017x}\n",
        "roles: {w: {}}\ninstance_profiles: {w: {role: w}}\n"
        "attachments:\n  a:\n    instance_profile: w\n    instances:\n",
    ),
    # With problems.
    "unknown fields": lines(lambda number: f"k{number}: v\n"),
    "slips of fields": lines(lambda number: f"fleet{number}: v\n"),
    "slips in one fleet": lines(lambda number: f"    count{number}: 1\n", "fleets:\n  w:\n"),
    "slips in fleets": lines(
        lambda number: f"  k{number}: {{cont: 1, imag: x, instance_typ: y}}\n", "fleets:\n", values=4
    ),
    "slips in images": lines(
        lambda number: (
            f"  k{number}: {{count: 1, image: {{ownr: a{number}, nam: b}}, instance_type: [a, b]}}\n"
        ),
        "fleets:\n",
        values=8,
    ),
    "slips in one image": lines(lambda number: f"      ownr{number}: 1\n", "fleets:\n  w:\n    image:\n"),
    "slips in references": lines(
        lambda number: f"  k{number}: {{{FLEET}, instance_profile: wrker{number}}}\n",
        "roles: {w: {}}\ninstance_profiles:\n"
        + "".join(f"  worker{number}: {{role: w}}\n" for number in range(2000))
        + "fleets:\n",
        values=7,
    ),
    "slips in roles": lines(lambda number: f"  k{number}: {{name: 'a b', path: x}}\n", "roles:\n", values=3),
    "keys of entries": lines(lambda number: f"  k {number}: {{}}\n", "roles:\n"),
    "long names": lines(lambda number: f"  {'k' * 60}{number:04}: {{}}\n", "roles:\n"),
    "one name": lines(lambda number: f"  k{number}: {{name: x}}\n", "roles:\n", values=2),
    "tags": lines(lambda number: f"  k{number}: NO\n", "tags:\n"),
    "long tags": lambda: HEAD + "tags:\n" + "".join(f"  k{n}: {'v' * 900}\n" for n in range(1100)),
    "tags that IAM refuses": lines(
        lambda number: f"  k{number}: {{tags: {{b: '{number};'}}}}\n",
        "tags:\n" + "".join(f"  k{n}: '{';' * 256}'\n" for n in range(40)) + "roles:\n",
        values=3,
    ),
    "mappings in a list": lines(lambda number: f"  - {{a: {number}}}\n", "ignore_tags:\n", values=2),
    "numbers in a list": lines(lambda number: f"  - {number}\n", "ignore_tags:\n"),
    "one item twice": lines(lambda number: f"  - p{number}\n", "ignore_tags:\n", end="  - p1\n"),
    "keys that are numbers": lines(lambda number: f"{number}: b\n"),
    "dates": lines(lambda number: f"k{number}: 2012-10-17\n"),
    "one key": lines(lambda number: "a: b\n"),
    "long keys": lambda: HEAD + "".join(f"{'k' * 900}{n:05}: v\n" for n in range(1100)),
    "aliases": lambda: (
        HEAD + "fleets:\n  a0: &a {cont: 1, image: {ownr: x}}\n"
        "" + "".join(f"  a{n}: *a\n" for n in range(1, 3600))
    ),
    "statements": lines(lambda number: f"          - {{Efect{number}: x}}\n", POLICY, values=2),
    "conditions": lines(
        lambda number: f"              StringEqualz{number}: {{a: NO}}\n", CONDITION, values=2
    ),
    "actions": lines(
        lambda number: f"              - {'x' * 30}{number}\n",
        f"{POLICY}          - Effect: Allow\n            Resource: '*'\n            Action:\n",
    ),
    "missing files": lines(
        lambda number: f"  r{number}: {{inline_policies: {{p: {{file: plcy{number}.json}}}}}}\n",
        "roles:\n",
        values=4,
    ),
    # These files are beside the spec: see FILES.
    **{
        f"a file of {name}": lines(
            lambda number, name=name: f"  r{number}: {{inline_policies: {{p: {{file: {name}.json}}}}}}\n",  # type: ignore[misc]
            "roles:\n",
            values=4,
        )
        for name in ("policy", "nulls", "text", "depth", "statements")
    },
    "files": lines(
        lambda number: f"  r{number}: {{inline_policies: {{p: {{file: many/{number}.json}}}}}}\n",
        "roles:\n",
        values=4,
    ),
    "user data": lines(
        lambda number: f"  k{number}: {{{FLEET}, user_data: {{file: many/{number % 50}.json}}}}\n",
        "fleets:\n",
        values=6,
    ),
}

_ALLOW = {"Effect": "Allow", "Action": "*", "Resource": "*"}
FILES: dict[str, str] = {
    "policy.json": json.dumps({"Version": "2012-10-17", "Statement": [_ALLOW] * 60}, indent=1),
    "statements.json": json.dumps({"Version": "2012-10-17", "Statement": [_ALLOW] * 3500}),
    "nulls.json": json.dumps([None] * 180_000),
    "text.json": json.dumps("x" * 1_000_000),
    "depth.json": "[" * 1_000_000,
    **dict.fromkeys((f"many/{number}.json" for number in range(50)), json.dumps("x" * 1_000_000)),
}
