"""The house rules that the contracts of import-linter in pyproject.toml cannot say.

The contracts, which `make check` proves, say who may import what. Here: that no import escapes them, what is
loaded lazily, who prints, and that the core knows no kind by name.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from fnmatch import fnmatchcase
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

from provisioner.kinds import KINDS

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("provisioner", "local_aws")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
LOCAL = ("local_aws", "local_aws.*")

TALKING = ("boto3", "botocore", "tenacity", "moto", "flask", "werkzeug")

# The only modules that print. The command does so through its gate, and these are not the command.
PRINTING = ("provisioner.spec.generate", "local_aws.__main__", "local_aws.server")

# Words that a module may use although a kind has the same name: the profile that an instance has, what is
# counted of an account, and the option that names a fleet of which an end is moved.
TAGGED = ("security_group", "key_pair")
NOT_THE_KIND = {
    ("provisioner.render.as_status", "instance_profile"),
    ("provisioner.rights", "role"),
    ("provisioner.proof.requests", "role"),
    # What the plan tells of its entries, by addresses, as rules see it.
    *(("provisioner.proof.facts", name) for name in ("role", "instance_profile")),
    # What rules see of a plan too: its JSON, by addresses.
    *(("provisioner.cli.next_steps", name) for name in ("fleet", "role", "instance_profile")),
    ("provisioner.render.next_steps", "fleets"),
    *(
        ("provisioner.render.as_account", name)
        for name in ("fleet", "role", "fleets", "roles", "instance_profiles")
    ),
    # The tags by which what EC2 has is an environment's, and whoever reads a whole account by them.
    *((f"provisioner.{name}", key) for name in ("naming", "account.contents") for key in TAGGED),
    # What people write in the place of the words of a spec.
    *(
        ("provisioner.spec.synonyms", name)
        for name in (*(kind.section for kind in KINDS), "instance_profile")
    ),
}


@cache
def modules() -> dict[str, ast.Module]:
    """The source of each module by its name."""
    found = {}
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(), str(path))
    return found


@cache
def imports() -> grimp.ImportGraph:
    """Who imports what, other than for type checkers only."""
    return grimp.build_graph(
        *PACKAGES, include_external_packages=True, exclude_type_checking_imports=True, cache_dir=None
    )


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def test_whatever_is_imported_from_outside_has_a_contract() -> None:
    outside = {name for name in imports().modules if imports().is_module_squashed(name)}
    assert "botocore" in outside
    allowed = {name for contract in CONTRACTS for name in contract.get("protected_modules", ())}
    assert outside - allowed - sys.stdlib_module_names == set()


def test_no_two_modules_import_each_other() -> None:
    """By way of any number of others. The contract says it of packages, not of one and its own modules."""
    used = {name: imports().find_modules_directly_imported_by(name) for name in imports().modules}
    TopologicalSorter(used).prepare()


def test_every_exception_is_still_needed() -> None:
    assert len(modules()) > 40
    assert [module for module in PRINTING if not any(matches(name, (module,)) for name in modules())] == []


def test_no_suite_of_tests_uses_another() -> None:
    suites = [path.name for path in (ROOT / "tests").iterdir() if (path / "__init__.py").exists()]
    assert "support" in suites
    wrong = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        own = path.relative_to(ROOT / "tests").parts[0]
        for node in ast.walk(ast.parse(path.read_text(), str(path))):
            if not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            named = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            used = {name.split(".")[1] for name in named if name.startswith("tests.")}
            wrong += [f"{path}: {suite}" for suite in used - {own, "support"}]
    assert wrong == []


def calls_of(*names: str, but_by: tuple[str, ...] = ()) -> list[str]:
    """Where functions are called, by their names as they are written."""
    return [
        f"{name}:{node.lineno}: {ast.unparse(node.func)}"
        for name, tree in modules().items()
        if not matches(name, but_by)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and any(fnmatchcase(ast.unparse(node.func), pattern) for pattern in names)
    ]


def test_nothing_is_printed_past_the_gate() -> None:
    past = ("print", "click.echo", "click.secho", "sys.stdout.write", "sys.stderr.write", "*.buffer.write")
    assert calls_of(*past, but_by=PRINTING) == []
    # The last writes to a pipe of its own.
    writing = ("provisioner.cli.output", "provisioner.cli.start", "provisioner.signals", *LOCAL)
    assert calls_of("os.write", but_by=writing) == []


def test_only_lines_of_visible_pieces_are_laid_out() -> None:
    assert calls_of("Text", "Text.*", but_by=("provisioner.render.styled",)) == []
    assert calls_of("Console", but_by=("provisioner.cli.common",)) == []


def in_the_core(name: str) -> bool:
    return not matches(name, ("provisioner.kinds", "provisioner.kinds.*", *LOCAL))


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


@pytest.mark.parametrize("module", ["plan", "kinds", "spec", "cli.app"])
def test_importing_it_loads_nothing_that_talks_to_aws(module: str) -> None:
    code = f"import sys, provisioner.{module}; print(*(name for name in {TALKING!r} if name in sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert loaded.stdout.split() == []
