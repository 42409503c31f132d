"""The house rules: who may import what, that imports run one way, and that the core knows no kind by name.

The rules are read off the source; the tables below are all there is to keep up to date. A module belongs to
the first layer that matches it, and may import its own layer and those below.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from provisioner.kinds import KINDS

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("provisioner", "local_aws")
LOCAL = ("local_aws", "local_aws.*")
AWS = ("provisioner.aws", "provisioner.aws.*")
CLI = ("provisioner.cli", "provisioner.cli.*")

# Lowest first. A pattern stands for the whole name of a module.
LAYERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("the local AWS", LOCAL),
    ("the package itself", ("provisioner",)),
    ("what may be shown", ("provisioner.secrecy", "provisioner.visible")),
    ("errors", ("provisioner.errors",)),
    ("the words for everything", ("provisioner.model",)),
    (
        "names, policies, retries",
        ("provisioner.naming", "provisioner.iam_policy", "provisioner.iam_policy.*", "provisioner.retry"),
    ),
    ("the contract of a kind", ("provisioner.kinds.base",)),
    ("what kinds share", ("provisioner.kinds.iam", "provisioner.kinds.instances")),
    ("what launches and regions tell", ("provisioner.kinds.launch_token", "provisioner.kinds.regions")),
    ("roles that change places", ("provisioner.kinds.swap",)),
    ("instance profiles", ("provisioner.kinds.instance_profile",)),
    ("what is bound to them", ("provisioner.kinds.binding",)),
    (
        "the other kinds",
        (
            "provisioner.kinds.role",
            "provisioner.kinds.role.*",
            "provisioner.kinds.fleet",
            "provisioner.kinds.fleet.*",
            "provisioner.kinds.attachment",
        ),
    ),
    ("the list of kinds", ("provisioner.kinds",)),
    (
        "reading specs, observing, planning, waiting",
        (
            "provisioner.spec",
            "provisioner.spec.*",
            "provisioner.observe",
            "provisioner.plan",
            "provisioner.waiter",
        ),
    ),
    ("carrying out", ("provisioner.apply",)),
    ("going on", ("provisioner.reconcile",)),
    ("showing", ("provisioner.render", "provisioner.render.*")),
    ("AWS", AWS),
    ("the gate for all that is printed", ("provisioner.cli.output",)),
    ("the command line", (*CLI, "provisioner.__main__")),
)

# Who may import what is not ours. Whatever is not listed may be imported by nobody.
OUTSIDE: dict[str, tuple[str, ...]] = {
    "boto3": ("provisioner.aws.login", *LOCAL),
    "botocore": (*AWS, *LOCAL),
    "tenacity": ("provisioner.aws.client",),
    "yaml": ("provisioner.spec.*",),
    "jsonschema": ("provisioner.spec.*",),
    "rich": (*CLI, "provisioner.render.*"),
    "click": CLI,
    "moto": LOCAL,
    "flask": LOCAL,
    "flask_cors": LOCAL,
    "werkzeug": LOCAL,
}

TALKING = ("boto3", "botocore", "tenacity", "moto", "flask", "werkzeug")

# The only modules that print. The command does so through its gate, and these are not the command.
PRINTING = ("provisioner.spec.generate", "local_aws.__main__", "local_aws.server")

# What the core may import of the kinds: their list, their contract, and instances for whoever waits for them.
FROM_KINDS = {
    "*": ("provisioner.kinds", "provisioner.kinds.base"),
    "provisioner.waiter": ("provisioner.kinds.instances",),
}


# Words that a module may use although a kind has the same name: here, the profile that an instance has.
NOT_THE_KIND = {("provisioner.render.as_status", "instance_profile")}


class Import(NamedTuple):
    """One import: the module that does it, the line, and the module that it gets."""

    by: str
    line: int
    of: str

    def __str__(self) -> str:
        return f"{self.by}:{self.line} imports {self.of}"


@cache
def modules() -> dict[str, ast.Module]:
    """The source of every module by its name."""
    found = {}
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(), str(path))
    return found


def imports() -> list[Import]:
    """Every import that is carried out; those for type checkers only are not."""
    return [
        Import(name, node.lineno, target)
        for name, tree in modules().items()
        for node in _carried_out(tree)
        for target in _targets(name, node)
    ]


def _carried_out(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for other in node.orelse:
                yield from _carried_out(ast.Module([other], []))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        else:
            yield from _carried_out(node)


def _targets(by: str, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    assert node.level == 0, f"{by}:{node.lineno}: imports are written in full"
    module = node.module or ""
    inner = [f"{module}.{alias.name}" for alias in node.names]
    submodules = [name for name in inner if name in modules()]
    yield from submodules
    # `from package import submodule` runs the package too, but takes nothing from it.
    if len(submodules) < len(inner):
        yield module


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def layer(name: str) -> int:
    """The number of a module's layer; one that has none is above all."""
    found = (index for index, (_, patterns) in enumerate(LAYERS) if matches(name, patterns))
    return next(found, len(LAYERS))


def is_ours(name: str) -> bool:
    return name.split(".")[0] in PACKAGES


def test_every_module_has_a_layer() -> None:
    assert len(modules()) > 40
    lost = [name for name in modules() if not any(matches(name, patterns) for _, patterns in LAYERS)]
    assert lost == []


def test_every_layer_and_every_exception_is_still_needed() -> None:
    patterns = [pattern for _, layered in LAYERS for pattern in layered]
    patterns += [pattern for allowed in OUTSIDE.values() for pattern in allowed]
    patterns += [*PRINTING, *(each for allowed in FROM_KINDS.values() for each in allowed)]
    unused = [each for each in patterns if not any(fnmatchcase(name, each) for name in modules())]
    assert unused == []


def test_imports_run_one_way() -> None:
    upwards = [
        f"{each}, which is above it"
        for each in imports()
        if is_ours(each.of) and layer(each.of) > layer(each.by)
    ]
    assert upwards == []


def test_the_local_aws_uses_nothing_of_the_rest() -> None:
    wrong = [str(each) for each in imports() if matches(each.by, LOCAL) and not matches(each.of, LOCAL)]
    assert [each for each in wrong if "imports provisioner" in each] == []


def test_no_two_modules_import_each_other() -> None:
    """Also within a layer, and by way of any number of others."""
    used: dict[str, set[str]] = {name: set() for name in modules()}
    for each in imports():
        if each.of in used and each.of != each.by:
            used[each.by].add(each.of)
    while leaves := [name for name, others in used.items() if not others]:
        for name in leaves:
            del used[name]
        for others in used.values():
            others.difference_update(leaves)
    assert used == {}


def test_what_is_not_ours_is_imported_only_where_it_belongs() -> None:
    wrong = [
        str(each)
        for each in imports()
        if not is_ours(each.of)
        and (root := each.of.split(".")[0]) not in sys.stdlib_module_names
        and not matches(each.by, OUTSIDE.get(root, ()))
    ]
    assert wrong == []


def test_no_suite_of_tests_uses_another() -> None:
    suites = [path.name for path in (ROOT / "tests").iterdir() if (path / "__init__.py").exists()]
    assert "support" in suites
    wrong = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        own = path.relative_to(ROOT / "tests").parts[0]
        for node in _carried_out(ast.parse(path.read_text(), str(path))):
            named = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            used = {name.split(".")[1] for name in named if name.startswith("tests.")}
            wrong += [f"{path}: {each}" for each in used - {own, "support"}]
    assert wrong == []


def calls_of(*names: str, but_by: tuple[str, ...] = ()) -> list[str]:
    """Where functions are called, by their names as they are written."""
    return [
        f"{name}:{node.lineno}: {ast.unparse(node.func)}"
        for name, tree in modules().items()
        if not matches(name, but_by)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and any(fnmatchcase(ast.unparse(node.func), each) for each in names)
    ]


def test_nothing_is_printed_past_the_gate() -> None:
    past = ("print", "click.echo", "click.secho", "sys.stdout.write", "sys.stderr.write", "*.buffer.write")
    assert calls_of(*past, but_by=PRINTING) == []
    assert calls_of("os.write", but_by=("provisioner.cli.output", *LOCAL)) == []


def test_only_lines_of_visible_pieces_are_laid_out() -> None:
    assert calls_of("Text", "Text.*", but_by=("provisioner.render.styled",)) == []
    assert calls_of("Console", but_by=("provisioner.cli.common",)) == []


def in_the_core(name: str) -> bool:
    return not matches(name, ("provisioner.kinds", "provisioner.kinds.*", *LOCAL))


def test_the_core_imports_no_kind() -> None:
    wrong = [
        str(each)
        for each in imports()
        if in_the_core(each.by)
        and each.of.startswith("provisioner.kinds")
        and each.of not in FROM_KINDS["*"] + FROM_KINDS.get(each.by, ())
    ]
    assert wrong == []


def test_the_core_calls_no_kind_by_its_name() -> None:
    names = {kind.name for kind in KINDS} | {kind.section for kind in KINDS}
    assert "fleet" in names
    known = [
        f"{name}:{node.lineno}: {node.value!r}"
        for name, tree in modules().items()
        if in_the_core(name)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in names and (name, node.value) not in NOT_THE_KIND
    ]
    assert known == []


def test_nothing_below_the_connection_reaches_it_by_way_of_others() -> None:
    direct: dict[str, set[str]] = {}
    for each in imports():
        direct.setdefault(each.by, set()).add(each.of)
    for name in modules():
        if layer(name) >= layer("provisioner.aws.client") or matches(name, LOCAL):
            continue
        reached, ahead = set(), {name}
        while ahead:
            reached |= ahead
            ahead = {of for by in ahead for of in direct.get(by, ())} - reached
        assert not {each.split(".")[0] for each in reached} & set(TALKING), name


@pytest.mark.parametrize("module", ["plan", "kinds", "spec", "cli.app"])
def test_importing_it_loads_nothing_that_talks_to_aws(module: str) -> None:
    code = f"import sys, provisioner.{module}; print(*(each for each in {TALKING!r} if each in sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert loaded.stdout.split() == []
