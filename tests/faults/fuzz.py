"""Makes files that nobody would write: from a seed, so that what was found can be found again.

`python -m tests.faults.fuzz FIRST LAST` reads the files of some seeds and says which went wrong.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from provisioner.errors import SpecError
from provisioner.kinds import KINDS
from provisioner.spec import load, schema
from provisioner.spec.schemas import inlined

SPECS = Path(__file__).resolve().parents[2] / "specs"
EXAMPLES = [path.read_text(encoding="utf-8") for path in sorted(SPECS.glob("*.yaml"))]
POLICIES = [path.read_text(encoding="utf-8") for path in sorted(SPECS.glob("policies/*.json"))]
WHOLE = inlined(schema(KINDS), schema(KINDS))

MAX_OUTPUT = 200_000

YAML = (
    *(
        "!!int ",
        "!!float ",
        "!!bool ",
        "!!null ",
        "!!timestamp ",
        "!!binary ",
        "!!set ",
        "!!omap ",
        "!!pairs ",
    ),
    *(
        "!!str ",
        "!!map ",
        "!!seq ",
        "!!merge ",
        "!!value ",
        "!!python/object/apply:os.system ",
        "!<x> ",
        "! ",
        "!e!x ",
    ),
    *(
        "&a ",
        "&b ",
        "*a",
        "*b",
        "<<: *a",
        "<<: ",
        "<<",
        "=",
        "? ",
        ": ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        ":",
        "#",
    ),
    *(
        "\n",
        "\n",
        "\n  ",
        "\n    ",
        "\n      ",
        "\n   ",
        " ",
        "\t",
        "\r",
        "|\n",
        ">\n",
        "|2-\n",
        ">+1\n",
        "--- ",
        "...\n",
    ),
    *(
        '"',
        "'",
        '"\\x',
        '"\\UFFFFFFFF"',
        '"\\U00110000"',
        '"\\ud800"',
        '"\\d"',
        "\\",
        "%YAML 1.1\n",
        "%TAG !e! x\n",
    ),
    *(
        "\0",
        "\x7f",
        "\x85",
        "\u2028",
        "\ufeff",
        "\u202e",
        "\U0001f600",
        "\ud800",
        "\ufffe",
        "@",
        "`",
        "%",
        "*",
        "&",
        "!",
    ),
)
TAGS = tuple(word for word in YAML if word.startswith("!"))
SCALARS = (
    *(
        "0",
        "-",
        "+",
        "-0",
        "010",
        "0x",
        "0x1F",
        "0b",
        "0b1",
        "0o7",
        "1_0",
        "_",
        "1:59",
        "1:59:59.5",
        "-1:0",
        ".",
        ".5",
    ),
    *(
        "1.",
        "1e3",
        "1.0e+3",
        "1e999",
        "1.0e+999",
        "9" * 30,
        "9" * 5000,
        "1" + ":59" * 400,
        ".inf",
        "-.inf",
        ".nan",
    ),
    *(
        "~",
        "null",
        "Null",
        "yes",
        "NO",
        "on",
        "off",
        "y",
        "true",
        "TRUE",
        "2012-10-17",
        "2001-12-14 21:59:43",
        "''",
    ),
    *(
        '""',
        "a",
        "a b",
        "a: b",
        "*",
        "*:*",
        "{index}",
        "{index:0200d}",
        "{}",
        "10%",
        "x" * 300,
        "x" * 3000,
        "é",
        "\u202e",
    ),
    *(
        "i-01234567",
        "ami-01234567",
        "t3.micro",
        "us-east-1",
        "123456789012",
        "arn:aws:iam::aws:policy/X",
        "s3:GetObject",
    ),
    *(
        "../../etc/passwd",
        "/etc/shadow",
        "/dev/zero",
        "/proc/self/environ",
        ".",
        "a.json",
        "policies",
        "Allow",
    ),
)
JSON = (
    *("{", "}", "[", "]", ",", ":", '"', '"a"', '"Effect"', '"Allow"', '"Deny"', '"Statement"', '"Version"'),
    *(
        '"2012-10-17"',
        "null",
        "true",
        "NaN",
        "-Infinity",
        "1e999",
        "01",
        "1.10",
        "-",
        "9" * 30,
        "\\u",
        '"\\ud800"',
    ),
    *('"\\u0000"', "\0", "\n", "\t", " ", "//", "/*", "'", "\ufeff", "\ud800", '"' + "x" * 3000 + '"'),
)


def made(seed: int) -> tuple[str, str]:
    """A spec, and the policy in the file `a.json` that it may name."""
    chance = random.Random(seed)
    ways: Sequence[Callable[[random.Random], str]] = (_soup, _mutated, _mutated, _built, _built)
    return chance.choice(ways)(chance), _policy(chance)


def wrong(folder: Path, seed: int) -> str | None:
    """What is not in order about reading the files of a seed; None if all is."""
    spec, policy = made(seed)
    (folder / "spec.yaml").write_text(spec, encoding="utf-8", errors="surrogatepass")
    (folder / "a.json").write_text(policy, encoding="utf-8", errors="surrogatepass")
    try:
        load(str(folder / "spec.yaml"), KINDS)
    except SpecError as error:
        if not error.problems:
            return "refused without a problem"
        if len(str(error)) > MAX_OUTPUT:
            return f"{len(str(error))} characters of problems"
        odd = [
            problem
            for problem in error.problems
            if problem.line < 1 or problem.column < 1 or not problem.message
        ]
        return f"a problem without a place: {odd[0]!r}" if odd else None
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__}: {error}"[:500]
    return None


def _soup(chance: random.Random) -> str:
    head = chance.choice(["", "environment: test\nregion: us-east-1\n", "a: &a {b: c}\n"])
    words = [*YAML, *SCALARS, *WHOLE["properties"]]
    return head + "".join(_odd(chance, words) for _ in range(chance.choice([3, 10, 30, 100])))


def _odd(chance: random.Random, words: Sequence[str]) -> str:
    """A word as it is or, now and then, in quotes or under a tag."""
    word = chance.choice(words)
    if chance.random() < 0.2:
        word = chance.choice(['""', f'"{word}"', f"'{word}'"])
    return chance.choice(TAGS) + word if chance.random() < 0.2 else word


def _mutated(chance: random.Random) -> str:
    text = chance.choice(EXAMPLES)
    for _ in range(chance.choice([1, 1, 2, 5])):
        start = chance.randrange(len(text) + 1)
        end = start + chance.choice([0, 0, 1, 1, 2, 10, 100])
        new = chance.choice(["", chance.choice(YAML), f" {_odd(chance, SCALARS)}\n", text[end : end + 50]])
        text = text[:start] + new + text[end:]
    return text


def _built(chance: random.Random) -> str:
    """What the schema asks for, as far as chance likes it, with odd scalars."""
    return f"environment: test\nregion: us-east-1\n{_flow(chance, WHOLE, 0)[1:-1].replace(CUT, chr(10))}\n"


CUT = "\x01"


def _flow(chance: random.Random, part: dict[str, object], depth: int) -> str:
    branches = part.get("anyOf")
    if isinstance(branches, list):
        return _flow(chance, chance.choice(branches), depth)
    properties, items, more = part.get("properties"), part.get("items"), part.get("additionalProperties")
    if depth > 8 or chance.random() < 0.03:
        return chance.choice([_odd(chance, SCALARS), "[]", "{}", "[[a]]", "{a: {b: c}}", "&a {x: *a}"])
    separator = CUT if depth == 0 else ", "
    if isinstance(properties, dict):
        required = part.get("required", ())
        assert isinstance(required, list | tuple)
        names = [
            name
            for name in properties
            if (depth and name in required and chance.random() < 0.97)
            or chance.random() < (0.6 if not depth else 0.2)
        ]
        pairs = [
            f"{name}: {_flow(chance, properties[name], depth + 1)}"
            for name in names
            if depth or name not in required
        ]
        return "{" + separator.join(pairs) + "}"
    if isinstance(more, dict):
        keys = chance.sample(["a", "b", "c", "NO", "1", "a b", "x" * 70, "<<"], k=chance.choice([1, 1, 2]))
        return "{" + ", ".join(f"{key}: {_flow(chance, more, depth + 1)}" for key in keys) + "}"
    if isinstance(items, dict):
        return f"[{', '.join(_flow(chance, items, depth + 1) for _ in range(chance.choice([0, 1, 1, 2])))}]"
    known = [*_texts(part.get("enum")), *_texts(part.get("examples")), *_texts(part.get("x-known"))]
    return chance.choice(known) if known and chance.random() < 0.5 else _odd(chance, [*SCALARS, "1", "2"])


def _texts(values: object) -> list[str]:
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []


def _policy(chance: random.Random) -> str:
    if chance.random() < 0.3:
        return "".join(chance.choices(JSON, k=chance.choice([1, 3, 10, 30])))
    text = chance.choice(POLICIES)
    for _ in range(chance.choice([0, 1, 2])):
        start = chance.randrange(len(text) + 1)
        text = text[:start] + chance.choice([*JSON, ""]) + text[start + chance.choice([0, 1, 10]) :]
    return text


def main(first: int, last: int) -> int:
    """Read the files of some seeds. 0 if all is in order."""
    found = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(first, last):
            if problem := wrong(Path(folder), seed):
                sys.stdout.write(f"{seed}: {problem}\n")
                found = 1
    return found


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
