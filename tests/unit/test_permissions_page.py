"""The policy in docs/permissions.md allows every call that the program makes, and nothing else."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import botocore.session

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("ec2", "iam", "ssm", "pricing")
# The names that are put together in `kinds/iam.py`, and who we are, which `aws/client.py` asks for.
NOT_SPELT_OUT = {
    *("iam:TagRole", "iam:UntagRole", "iam:TagInstanceProfile", "iam:UntagInstanceProfile"),
    "sts:GetCallerIdentity",
}
# https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
NO_CALLS = {"iam:PassRole"}


@cache
def called() -> frozenset[str]:
    """All operations of AWS that the code of kinds and costs has the names of, as actions of a policy."""
    session = botocore.session.get_session()
    service_of = {
        name: service for service in SERVICES for name in session.get_service_model(service).operation_names
    }
    spelt = (
        f"{service_of[node.value]}:{node.value}"
        for folder in ("kinds", "costs")
        for path in (ROOT / "provisioner" / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in service_of
    )
    return frozenset(spelt) | NOT_SPELT_OUT


def allowed(*sids: str) -> Iterator[str]:
    """The actions of some of the policy's statements."""
    page = (ROOT / "docs/permissions.md").read_text()
    found = re.search(r"```json\n(.*?)```", page, re.DOTALL)
    assert found
    for statement in json.loads(found[1])["Statement"]:
        if statement["Sid"] in sids:
            yield from statement["Action"]


def test_every_call_is_allowed() -> None:
    actions = list(allowed("Read", "Instances", "RolesAndProfiles"))
    assert [
        call for call in sorted(called()) if not any(fnmatchcase(call, action) for action in actions)
    ] == []


def test_nothing_is_allowed_that_is_not_called() -> None:
    actions = allowed("Read", "Instances", "RolesAndProfiles")
    unused = (action for action in actions if not any(fnmatchcase(call, action) for call in called()))
    assert set(unused) == NO_CALLS


def test_to_read_is_what_a_plan_needs_and_writes_nothing() -> None:
    verbs = {re.match(r"[a-z0-9]+:([A-Z][a-z]+)", action)[1] for action in allowed("Read")}  # type: ignore[index]
    assert verbs == {"Describe", "Get", "List"}
    reads = {call for call in called() if re.match(r"[a-z0-9]+:(Describe|Get|List)", call)}
    actions = list(allowed("Read"))
    assert [call for call in sorted(reads) if not any(fnmatchcase(call, action) for action in actions)] == []
