"""What the documents say of each other and of the code is so."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from provisioner import __version__

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DECISIONS = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
STATUS = re.compile(r"Status: (proposed|accepted|superseded by \[.+\]\(.+\)), (\d{4}-\d\d-\d\d)\.")


def anchors(document: Path) -> set[str]:
    """What its headings are called in links: https://docs.github.com/en/get-started/writing-on-github."""
    headings = re.findall(r"(?m)^#+ (.+)$", document.read_text())
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_whatever_a_document_links_to_is_there(document: Path) -> None:
    lost = []
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        file, _, anchor = link.partition("#")
        target = document.parent / file if file else document
        if "://" not in link and (not target.exists() or (anchor and anchor not in anchors(target))):
            lost.append(link)
    assert lost == []


TEXTS = sorted(
    path
    for folder in (
        "docs",
        "provisioner",
        "local_aws",
        "specs",
        "tools",
        "bench",
        "schemas",
        "tests",
        ".github",
    )
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".md", ".py", ".yml", ".yaml", ".sh", ".json", ".j2", ".rego"}
)
# What installs by name from an index: our name there is a program of somebody else.
BY_NAME = re.compile(r"""(?:pip3?|uv|pipx|uvx)\s[^\n|;&]*?(?<![\w/.{$-])provisioner(?![\w.@/-])""")


def test_no_text_installs_what_an_index_has_by_our_name() -> None:
    for document in [*DOCUMENTS, *TEXTS]:
        if document != Path(__file__):
            assert not BY_NAME.search(document.read_text(errors="replace")), document


def test_decisions_are_numbered_without_gaps_or_doubles() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem)
def test_each_decision_has_a_date_and_a_status_and_is_in_the_index(decision: Path) -> None:
    title, empty, status = decision.read_text().splitlines()[:3]
    assert empty == ""
    told = STATUS.match(status)
    assert told, status
    link = f"[{title.removeprefix('# ')}]({decision.name})"
    row = f"| {int(decision.name[:4])} | {link} | {told[2]} | {told[1]}"
    assert row in (decision.parent / "README.md").read_text()


def test_the_changelog_has_the_version_after_what_is_not_released() -> None:
    headings = re.findall(r"(?m)^## (.+)$", (ROOT / "CHANGELOG.md").read_text())
    assert headings[0] == "Unreleased"
    assert re.fullmatch(re.escape(__version__) + r" - \d{4}-\d\d-\d\d", headings[1])


ARCHITECTURE = ROOT / "docs/architecture.md"
PATH = re.compile(r"`([\w.-]+(?:/[\w.-]+)+)`")
NAMES_IN = re.compile(r"((?:`\w+`(?:,| and)? )+)\(?in\s`([\w/]+\.py)`")


def test_every_path_that_the_map_shows_is_there() -> None:
    paths = [path for path in PATH.findall(ARCHITECTURE.read_text()) if "NAME" not in path]
    drawn = re.findall(r'\["((?:provisioner|local_aws)[\w./]*)', ARCHITECTURE.read_text())
    assert len(paths) > 30
    assert [path for path in [*paths, *drawn] if not (ROOT / path).exists() and path != "fleet/worker"] == []


def test_every_name_that_the_map_shows_is_in_its_file() -> None:
    """Functions, classes and constants, methods too."""
    shown = NAMES_IN.findall(ARCHITECTURE.read_text())
    assert len(shown) > 25
    lost = []
    for names, path in shown:
        tree = ast.parse((ROOT / path).read_text())
        defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        defined |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        lost += [f"{name} in {path}" for name in re.findall(r"\w+", names) if name not in {*defined, "and"}]
    assert lost == []
