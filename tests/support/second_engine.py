"""`@cloud-copilot/iam-simulate`, a second engine that decides by IAM policies: for tests, never shipped.

It is AGPL, so that it is fetched from npm when a test asks for it, by the versions and hashes of its lock.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent / "iam_simulate"
TIMEOUT_S = 180


def install(folder: Path) -> Path:
    """Installs it into a folder; skips the test where node or npm's registry is not to be had."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not installed: the second engine for IAM policies cannot run")
    for name in ("package.json", "package-lock.json", "decide.mjs"):
        shutil.copy(HERE / name, folder / name)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode:
        pytest.skip(f"npm cannot fetch the second engine for IAM policies: {done.stderr.strip()[-200:]}")
    return folder


def decide(folder: Path, simulations: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Whether each simulation is allowed, in their order."""
    done = subprocess.run(
        ["node", "decide.mjs"],
        cwd=folder,
        input=json.dumps(list(simulations)),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def simulation(
    action: str,
    resource: str,
    context: dict[str, Any],
    identity: Sequence[dict[str, Any]],
    boundary: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """One request with its policies, as the engine takes it."""
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    open_ = {"Version": "2012-10-17", "Statement": [everything]}
    account = "123456789012"
    return {
        "request": {
            "principal": f"arn:aws:iam::{account}:user/ci",
            "action": action,
            "resource": {"resource": resource, "accountId": account},
            "contextVariables": context,
        },
        "identityPolicies": [
            {"name": f"policy-{index}", "policy": policy} for index, policy in enumerate(identity)
        ],
        "serviceControlPolicies": [
            {"orgIdentifier": "r-root", "policies": [{"name": "open", "policy": open_}]}
        ],
        "resourceControlPolicies": [],
        **(
            {}
            if boundary is None
            else {"permissionBoundaryPolicies": [{"name": "boundary", "policy": boundary}]}
        ),
    }
