"""Who is compared, and what each is asked to do: the files are in jobs/."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench.world import KEYS

JOBS = Path(__file__).parent / "jobs"
APPLY, PLAN, DESTROY = "apply from nothing", "plan, nothing to do", "destroy"
STEPS = (PLAN, APPLY, DESTROY)
NAMES = ("ours", "floor", "terraform", "ansible")


class Missing(Exception):
    """Why a contender cannot take part."""


@dataclass(frozen=True)
class Contender:
    """`steps`: the commands; `idle`: what a plan prints when there is nothing to do; `state`: a file that a
    run which failed may have left."""

    name: str
    title: str
    asked: str
    steps: Mapping[str, tuple[str, ...]]
    idle: str
    env: Mapping[str, str]
    folder: Path
    state: str = ""


def contender(name: str, url: str, members: int, scratch: Path) -> Contender:
    """One of NAMES, ready to work in `scratch`. Raises Missing."""
    folder = scratch / name
    folder.mkdir(exist_ok=True)
    makers: Mapping[str, Callable[[str, int, Path], Contender]] = {
        "ours": ours,
        "floor": floor,
        "terraform": terraform,
        "ansible": ansible,
    }
    return makers[name](url, members, folder)


def ours(url: str, members: int, folder: Path) -> Contender:
    """provisioner, as the console script."""
    spec = (JOBS / "spec.yaml").read_text().replace("count: 50", f"count: {members}")
    (folder / "spec.yaml").write_text(spec)
    return provisioner_on(folder / "spec.yaml", url)


def provisioner_on(spec: Path, url: str) -> Contender:
    """provisioner with any spec."""
    command = str(Path(sys.executable).with_name("provisioner"))
    tail = (str(spec), "--endpoint-url", url)
    return Contender(
        "ours",
        f"provisioner {version('provisioner')}",
        "jobs/spec.yaml: plan; apply --yes; destroy --yes",
        {
            PLAN: (command, "plan", *tail, "--detailed-exitcode"),
            APPLY: (command, "apply", *tail, "--yes"),
            DESTROY: (command, "destroy", *tail, "--yes"),
        },
        "No changes.",
        environment(),
        spec.parent,
    )


def floor(url: str, members: int, folder: Path) -> Contender:
    """boto3 alone, for the plan only."""
    return Contender(
        "floor",
        f"boto3 alone {version('boto3')}",
        "jobs/floor.py: the reads of a plan side by side, nothing done with the answers",
        {PLAN: (sys.executable, str(JOBS / "floor.py"), url, "bench")},
        f"{members}",
        environment(),
        folder,
    )


def terraform(url: str, members: int, folder: Path) -> Contender:
    """Terraform; $TF_PLUGIN_MIRROR is a folder that has its providers, where the registry is out of reach."""
    command = shutil.which("terraform")
    if command is None:
        raise Missing("there is no `terraform` on the PATH")
    shutil.copy(JOBS / "main.tf", folder)
    env = environment() | {"TF_VAR_endpoint": url, "TF_VAR_members": str(members), "CHECKPOINT_DISABLE": "1"}
    if mirror := os.environ.get("TF_PLUGIN_MIRROR"):
        (folder / "rc").write_text(
            f'provider_installation {{\n  filesystem_mirror {{ path = "{mirror}" }}\n}}\n'
        )
        env["TF_CLI_CONFIG_FILE"] = str(folder / "rc")
    if not (folder / ".terraform").exists():
        init = _ask(command, "init", "-input=false", "-no-color", folder=folder, env=env)
        if init.returncode:
            raise Missing(f"`terraform init` failed: {' '.join(init.stderr.split())[:200]}")
    told = _ask(command, "version", "-json", folder=folder, env=env)
    versions = json.loads(told.stdout)
    provider = next(iter(versions["provider_selections"].values()))
    more = ("-input=false", "-no-color")
    return Contender(
        "terraform",
        f"Terraform {versions['terraform_version']}, AWS provider {provider}",
        "jobs/main.tf: plan -detailed-exitcode; apply and destroy -auto-approve (init before, not timed)",
        {
            PLAN: (command, "plan", "-detailed-exitcode", *more),
            APPLY: (command, "apply", "-auto-approve", *more),
            DESTROY: (command, "destroy", "-auto-approve", *more),
        },
        "No changes.",
        env,
        folder,
        "terraform.tfstate",
    )


def ansible(url: str, members: int, folder: Path) -> Contender:
    """Ansible; $ANSIBLE_PLAYBOOK is the command where it is not on the PATH."""
    command = shutil.which(os.environ.get("ANSIBLE_PLAYBOOK", "ansible-playbook"))
    if command is None:
        raise Missing("there is no `ansible-playbook` on the PATH, nor named by $ANSIBLE_PLAYBOOK")
    python = Path(command).with_name("python")
    env = environment() | {
        "AWS_ENDPOINT_URL": url,
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_DEPRECATION_WARNINGS": "0",
        "ANSIBLE_PYTHON_INTERPRETER": str(python) if python.exists() else sys.executable,
    }
    galaxy = str(Path(command).with_name("ansible-galaxy"))
    listed = _ask(galaxy, "collection", "list", "amazon.aws", folder=folder, env=env)
    versions = [text.split()[1] for text in listed.stdout.splitlines() if text.startswith("amazon.aws ")]
    if not versions:
        raise Missing("the collection amazon.aws is not installed")
    core = _ask(command, "--version", folder=folder, env=env)
    job = (command, "-i", "localhost,", "-e", f"members={members}", str(JOBS / "playbook.yaml"))
    return Contender(
        "ansible",
        f"Ansible {core.stdout.split('core ')[1].split(']')[0]}, amazon.aws {versions[0]}",
        "jobs/playbook.yaml: --check; as it is; -e state=absent",
        {PLAN: (*job, "--check"), APPLY: job, DESTROY: (*job, "-e", "state=absent")},
        "changed=0",
        env,
        folder,
    )


def _ask(*command: str, folder: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)


def environment() -> dict[str, str]:
    """Nothing of the user's own configuration."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    unread = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return kept | KEYS | unread | {"AWS_EC2_METADATA_DISABLED": "true"}
