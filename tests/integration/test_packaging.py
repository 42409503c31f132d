"""The package as people get it: built, installed away from the checkout, and used from somewhere else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from provisioner import __version__

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 120.0


def run(*command: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built package."""
    folder = tmp_path_factory.mktemp("wheel")
    built = run(
        *(sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--quiet", "--wheel-dir", folder),
        *("--no-build-isolation", "--no-index"),
        cwd=ROOT,
    )
    assert built.returncode == 0, built.stderr
    (found,) = folder.glob("provisioner-*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the package is installed into."""
    target = tmp_path_factory.mktemp("target")
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--quiet", "--target", str(target)]
    done = run(*install, wheel, cwd=target)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def test_the_wheel_holds_the_program_with_its_data_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    schemas = {
        f"provisioner/schemas/{path.relative_to(ROOT / 'schemas').as_posix()}"
        for path in (ROOT / "schemas").rglob("*.json")
    }
    assert len(schemas) > 4
    assert schemas <= names
    modules = {
        path.relative_to(ROOT).as_posix()
        for package in ("provisioner", "local_aws")
        for path in (ROOT / package).rglob("*.py")
    }
    assert modules <= names
    data = {
        path.relative_to(ROOT).as_posix()
        for folder in ("render/templates", "guardrails/library", "kinds/fleet/user_data/scripts")
        for path in (ROOT / "provisioner" / folder).iterdir()
        if path.is_file()
    }
    assert len(data) > 10
    assert data <= names
    other = {name for name in names - schemas - modules - data if ".dist-info/" not in name}
    assert other == {"provisioner/py.typed", "local_aws/py.typed", "provisioner/guardrails/order.rego"}


def test_the_wheel_says_what_it_is_and_how_it_is_licensed(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith("/METADATA"))
        (scripts,) = (archive.read(name).decode() for name in names if name.endswith("/entry_points.txt"))
    assert f"Version: {__version__}" in metadata
    assert "License-Expression: MIT" in metadata
    assert any(name.endswith("LICENSE") for name in names)
    assert "provisioner = provisioner.cli.start:main" in scripts


def test_the_installed_copy_validates_with_its_own_schemas(installed: Path, elsewhere: Path) -> None:
    where = (
        "import provisioner, provisioner.spec.schemas as s; print(provisioner.__file__); print(s.folder())"
    )
    found = run(sys.executable, "-c", where, cwd=elsewhere, PYTHONPATH=str(installed))
    assert found.returncode == 0, found.stderr
    package, schemas = found.stdout.split()
    assert Path(package).is_relative_to(installed)
    assert Path(schemas).is_relative_to(installed)

    specs = sorted((ROOT / "specs").glob("*.yaml"))
    command = [sys.executable, "-m", "provisioner", "validate", *map(str, specs)]
    good = run(*command, cwd=elsewhere, PYTHONPATH=str(installed))
    assert good.returncode == 0, good.stderr
    assert len(good.stdout.splitlines()) == len(specs)


def test_the_installed_copy_finds_mistakes_too(installed: Path, elsewhere: Path) -> None:
    (elsewhere / "broken.yaml").write_text("environment: x\nregion: us-east-1\nfleet: {}\n")
    command = [sys.executable, "-m", "provisioner", "validate", "broken.yaml"]
    bad = run(*command, cwd=elsewhere, PYTHONPATH=str(installed))
    assert bad.returncode == 3
    assert "broken.yaml:3:1" in bad.stderr


def test_the_installed_copy_prints_the_same_schema(installed: Path, elsewhere: Path) -> None:
    command = [sys.executable, "-m", "provisioner", "schema"]
    printed = run(*command, cwd=elsewhere, PYTHONPATH=str(installed))
    assert json.loads(printed.stdout) == json.loads((ROOT / "schemas/environment.schema.json").read_text())


def test_without_the_local_extra_the_local_aws_is_said_to_be_missing(
    installed: Path, elsewhere: Path
) -> None:
    """As in an installation without it: nothing that it is made of can be found."""
    code = (
        "import importlib.util, sys\n"
        "real = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 'moto' else real(name, *rest)\n"
        "from provisioner.cli.app import main\n"
        "main()\n"
    )
    (elsewhere / "spec.yaml").write_text("environment: x\nregion: us-east-1\n")
    for command in (["plan", "--local", "spec.yaml"], ["local", "up"]):
        asked = run(sys.executable, "-c", code, *command, cwd=elsewhere, PYTHONPATH=str(installed))
        assert asked.returncode == 1
        assert "-m pip install" in asked.stderr
        assert "Traceback" not in asked.stderr
