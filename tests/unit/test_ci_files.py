"""The files of docs/ci that people copy: what they are made of, and that what they call is there."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import click
import pytest
import yaml

from provisioner.cli.app import cli

ROOT = Path(__file__).resolve().parents[2]
CI = ROOT / "docs/ci"
WORKFLOWS = sorted(CI.glob("github-*.yml"))
PINNED = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}")
# https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax
WORKFLOW_KEYS = {"name", "on", "env", "permissions", "concurrency", "jobs"}
JOB_KEYS = {"if", "needs", "runs-on", "timeout-minutes", "environment", "permissions", "steps"}
STEP_KEYS = {"id", "if", "name", "uses", "with", "env", "run"}
# https://docs.gitlab.com/ci/yaml/
GITLAB_KEYS = {
    *("extends", "stage", "image", "timeout", "id_tokens", "variables", "rules", "before_script", "script"),
    *("after_script", "artifacts", "interruptible", "resource_group", "environment"),
}
DIGEST = "0123456789abcdef0123456789abcdef01234567"


class Loader(yaml.SafeLoader):
    """YAML as GitHub reads it, where `on` is a word."""


Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool" or first in "tTfF"
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.load(path.read_text(), Loader)
    return content


def steps(workflow: Path) -> list[dict[str, Any]]:
    return [step for job in read(workflow)["jobs"].values() for step in job["steps"]]


def scripts() -> list[tuple[str, str]]:
    """Everything that a shell is given."""
    found = [(path.name, step["run"]) for path in WORKFLOWS for step in steps(path) if "run" in step]
    gitlab = read(CI / "gitlab-ci.yml")
    for job in gitlab.values():
        if isinstance(job, dict):
            found += [
                ("gitlab-ci.yml", line)
                for part in ("before_script", "script", "after_script")
                for line in job.get(part, ())
            ]
    return found


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
class TestWorkflowsOfGithub:
    def test_are_made_of_what_github_knows(self, workflow: Path) -> None:
        content = read(workflow)
        assert content.keys() <= WORKFLOW_KEYS
        for job in content["jobs"].values():
            assert job.keys() <= JOB_KEYS
            assert all(
                step.keys() <= STEP_KEYS and ("uses" in step) != ("run" in step) for step in job["steps"]
            )

    def test_use_actions_by_commit_and_say_which_version_that_is(self, workflow: Path) -> None:
        used = re.findall(r"uses: (\S+) # v\d+\.\d+\.\d+\n", workflow.read_text())
        assert len(used) > 2
        assert len(used) == workflow.read_text().count("uses:")
        assert [action for action in used if not PINNED.fullmatch(action)] == []

    def test_may_do_what_they_need_and_nothing_else(self, workflow: Path) -> None:
        content = read(workflow)
        assert content["permissions"] == {}
        needed: dict[str, dict[str, dict[str, str]]] = {
            "github-plan": {"plan": {"pull-requests": "write"}},
            "github-apply": {"plan": {}, "apply": {"pull-requests": "read"}},
            "github-drift": {"drift": {"issues": "write"}},
        }
        own = {"contents": "read", "id-token": "write"}
        assert {name: job["permissions"] for name, job in content["jobs"].items()} == {
            name: own | more for name, more in needed[workflow.stem].items()
        }
        assert all(job["timeout-minutes"] > 0 for job in content["jobs"].values())

    def test_give_scripts_their_values_by_the_environment(self, workflow: Path) -> None:
        """What stands in a script could be a script: a branch may be called `$(curl …)`."""
        assert [step["run"] for step in steps(workflow) if "${{" in step.get("run", "")] == []

    def test_hold_no_key_and_keep_no_credentials(self, workflow: Path) -> None:
        assert "secrets." not in workflow.read_text()
        checkouts = [step for step in steps(workflow) if step.get("uses", "").startswith("actions/checkout")]
        assert len(checkouts) == len(read(workflow)["jobs"])
        assert all(checkout["with"] == {"persist-credentials": False} for checkout in checkouts)

    def test_plan_as_a_role_that_may_only_read(self, workflow: Path) -> None:
        assumed = {
            name: [step["with"]["role-to-assume"] for step in job["steps"] if "role" in str(step.get("with"))]
            for name, job in read(workflow)["jobs"].items()
        }
        roles = {name: "APPLY_ROLE_ARN" if name == "apply" else "PLAN_ROLE_ARN" for name in assumed}
        assert assumed == {name: ["${{ vars.%s }}" % role] for name, role in roles.items()}  # noqa: UP031

    def test_show_a_plan_before_reviewers_are_asked(self, workflow: Path) -> None:
        """They are asked when a job with an environment is about to start."""
        jobs = read(workflow)["jobs"]
        for job in jobs.values():
            if "environment" in job:
                before = jobs[job["needs"]]
                assert "environment" not in before
                assert before["steps"][-1]["run"] == 'provisioner plan "$SPEC"'


def test_the_pipeline_of_gitlab_is_made_of_what_gitlab_knows() -> None:
    content = read(CI / "gitlab-ci.yml")
    assert content.pop("stages") == ["plan", "apply", "drift"]
    content.pop("variables")
    assert content.keys() == {".provisioner", "plan", "apply", "drift"}
    for name, job in content.items():
        assert job.keys() <= GITLAB_KEYS, name
        assert name == ".provisioner" or (job["extends"] == ".provisioner" and job["stage"] == name)
    assert content["plan"]["variables"]["ROLE_ARN"] == "$PLAN_ROLE_ARN"
    assert content["drift"]["variables"]["ROLE_ARN"] == "$PLAN_ROLE_ARN"


@pytest.mark.parametrize(("where", "script"), scripts())
def test_a_shell_can_read_what_it_is_given(where: str, script: str) -> None:
    subprocess.run(["bash", "-n", "-c", script], check=True, timeout=60)


def test_the_commands_and_their_options_are_there() -> None:
    called = [line for _, script in scripts() for line in re.findall(r"provisioner (\w+ [^\n|;)]*)", script)]
    assert {line.split()[0] for line in called} == {"validate", "plan", "apply", "drift"}
    for line in called:
        name, *words = shlex.split(re.split(r" (?:>|\|\|) ", line)[0])
        words = [DIGEST if word == "$DIGEST" else word for word in words]
        command = cli.commands[name]
        command.make_context(name, words, parent=click.Context(cli))


def test_the_hook_is_one_that_pre_commit_can_take() -> None:
    command = [
        str(Path(sys.executable).with_name("pre-commit")),
        "validate-manifest",
        ".pre-commit-hooks.yaml",
    ]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["entry"] == "provisioner validate"
    assert re.match(hook["files"], "specs/production.yaml")


# --- the scripts, run

GH = """#!/usr/bin/env bash
# Answers as gh does: from files, after the jq that would have been run; writes down what is changed.
printf '%s\\n' "$*" >> "$FOLDER/calls"
case "$*" in
  *"--method "*) for word; do case "$word" in body=@*) cat "${word#body=@}" > "$FOLDER/body";; esac; done ;;
  *commits*) cat "$FOLDER/number" ;;
  *) cat "$FOLDER/found" ;;
esac
"""


def step_named(workflow: str, name: str) -> str:
    (script,) = [step["run"] for step in steps(CI / workflow) if step.get("name") == name]
    return str(script)


def run_step(script: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a step as GitHub does, with a `gh` that answers from files."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin/gh").write_text(GH)
    (folder / "bin/gh").chmod(0o755)
    known = {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "FOLDER": str(folder),
        "SPEC": "specs/production.yaml",
        "GITHUB_REPOSITORY": "team/infrastructure",
        "GITHUB_SHA": "f" * 40,
        "GITHUB_OUTPUT": str(folder / "output"),
    }
    command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script]
    return subprocess.run(
        command, cwd=folder, env=known | variables, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    ("found", "call"),
    [
        ("", "--method POST repos/team/infrastructure/issues/7/comments "),
        ("4711\n4712\n", "--method PATCH repos/team/infrastructure/issues/comments/4711 "),
    ],
)
@pytest.mark.parametrize("plan", ["### Plan for x\n", ""])
def test_a_plan_has_one_comment_which_is_updated(found: str, call: str, plan: str, tmp_path: Path) -> None:
    (tmp_path / "found").write_text(found)
    (tmp_path / "plan.md").write_text(plan)
    log = "https://github.com/team/infrastructure/actions/runs/1"
    ran = run_step(step_named("github-plan.yml", "Comment"), tmp_path, PULL_REQUEST="7", LOG=log)
    assert ran.returncode == 0, ran.stderr
    assert call in (tmp_path / "calls").read_text()
    told = plan or f"There is no plan of `specs/production.yaml`: [the log]({log}) says why.\n"
    assert (tmp_path / "body").read_text() == "<!-- plan of specs/production.yaml -->\n" + told


@pytest.mark.parametrize(
    ("number", "body", "code", "output"),
    [
        ("7\n", f"provisioner apply specs/production.yaml --expect {DIGEST}\n", 0, f"digest={DIGEST}\n"),
        ("7\n", "### Plan for x: No changes\n", 0, "digest=\n"),
        ("", "", 1, None),
    ],
)
def test_what_was_approved_is_the_digest_of_the_comment(
    number: str, body: str, code: int, output: str | None, tmp_path: Path
) -> None:
    (tmp_path / "number").write_text(number)
    (tmp_path / "found").write_text(body)
    ran = run_step(step_named("github-apply.yml", "Approved digest"), tmp_path)
    assert ran.returncode == code, ran.stderr
    written = tmp_path / "output"
    assert (written.read_text() if written.exists() else None) == output


class FakeGitlab(BaseHTTPRequestHandler):
    """The notes of merge request 7, and whoever has the token is user 1."""

    notes: ClassVar[list[dict[str, Any]]] = []
    calls: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.endswith("/user"):
            self._answer({"id": 1})
        elif path.endswith("/merge_requests"):
            self._answer([{"iid": 6, "state": "closed"}, {"iid": 7, "state": "merged"}])
        else:
            self._answer(self.notes if "page=1" in self.path.split("&") else [])

    def do_POST(self) -> None:
        self._write()

    def do_PUT(self) -> None:
        self._write()

    def _write(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
        self.calls.append(f"{self.command} {self.path} {body}")
        self._answer({})

    def _answer(self, data: Any) -> None:
        assert self.headers["PRIVATE-TOKEN"] == "token"
        content = json.dumps(data).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nothing is told."""


@pytest.fixture
def gitlab() -> Iterator[str]:
    FakeGitlab.notes, FakeGitlab.calls = [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeGitlab)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/api/v4"
    server.shutdown()
    thread.join()
    server.server_close()


def note(address: str, *words: str, folder: Path) -> str:
    variables = {
        "CI_API_V4_URL": address,
        "CI_PROJECT_ID": "3",
        "CI_MERGE_REQUEST_IID": "7",
        "CI_JOB_URL": "https://gitlab.example.com/job/1",
        "CI_COMMIT_SHA": "f" * 40,
        "NOTE_TOKEN": "token",
        "no_proxy": "127.0.0.1",
    }
    command = [sys.executable, str(CI / "gitlab_note.py"), *words]
    ran = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return ran.stdout


MARKER = "<!-- plan of specs/x.yaml -->"
OURS = {"id": 5, "author": {"id": 1}, "body": f"{MARKER}\nprovisioner apply specs/x.yaml --expect {DIGEST}\n"}
OTHERS = [
    {"id": 3, "author": {"id": 2}, "body": f"{MARKER}\nprovisioner apply specs/x.yaml --expect {'0' * 40}\n"},
    {"id": 4, "author": {"id": 1}, "body": "<!-- plan of specs/y.yaml -->\n"},
]


@pytest.mark.parametrize(
    ("notes", "call"),
    [
        ([], "POST /api/v4/projects/3/merge_requests/7/notes"),
        (OTHERS, "POST /api/v4/projects/3/merge_requests/7/notes"),
        ([*OTHERS, OURS], "PUT /api/v4/projects/3/merge_requests/7/notes/5"),
    ],
)
def test_a_merge_request_has_one_note_which_is_updated(
    notes: list[dict[str, Any]], call: str, gitlab: str, tmp_path: Path
) -> None:
    FakeGitlab.notes = notes
    (tmp_path / "plan.md").write_text("### Plan for x\n")
    note(gitlab, "write", "specs/x.yaml", "plan.md", folder=tmp_path)
    assert FakeGitlab.calls == [f"{call} {MARKER}\n### Plan for x\n"]


def test_a_note_tells_that_there_is_no_plan(gitlab: str, tmp_path: Path) -> None:
    note(gitlab, "write", "specs/x.yaml", "plan.md", folder=tmp_path)
    assert "There is no plan: [the log](https://gitlab.example.com/job/1) says why." in FakeGitlab.calls[0]


@pytest.mark.parametrize(("notes", "digest"), [([*OTHERS, OURS], DIGEST), (OTHERS, ""), ([], "")])
def test_only_our_own_note_tells_what_was_approved(
    notes: list[dict[str, Any]], digest: str, gitlab: str, tmp_path: Path
) -> None:
    FakeGitlab.notes = notes
    assert note(gitlab, "digest", "specs/x.yaml", folder=tmp_path).strip() == digest
