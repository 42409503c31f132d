"""The files of docs/scale that people copy, and the Dockerfile: each as the one it is for takes it."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import click
import kubernetes_validate
import pytest
import yaml
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.validate import ParamValidator

from provisioner.cli.app import cli
from provisioner.many.engines import find_shard
from provisioner.many.shards import Shard

ROOT = Path(__file__).resolve().parents[2]
SCALE = ROOT / "docs/scale"
BATCH = SCALE / "aws-batch"
MATRIX = SCALE / "github-matrix.yml"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
TOOLS = Path(sys.executable).parent
PINNED = re.compile(r"uses: [\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+\n")

# What each file is given to. https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-skeleton.html
REQUESTS = {
    "job-definition.json": ("batch", "RegisterJobDefinition"),
    "report-job-definition.json": ("batch", "RegisterJobDefinition"),
    "submit-job.json": ("batch", "SubmitJob"),
    "rule.json": ("events", "PutRule"),
    "report-rule.json": ("events", "PutRule"),
    "targets.json": ("events", "PutTargets"),
    "report-targets.json": ("events", "PutTargets"),
}


def objects() -> list[dict[str, Any]]:
    """What there is for Kubernetes."""
    files = sorted(SCALE.glob("kubernetes-*.yaml"))
    return [content for file in files for content in yaml.safe_load_all(file.read_text())]


def jobs() -> list[dict[str, Any]]:
    """The specs of the jobs among them."""
    return [
        content["spec"] if content["kind"] == "Job" else content["spec"]["jobTemplate"]["spec"]
        for content in objects()
        if content["kind"] in ("Job", "CronJob")
    ]


def container(job: dict[str, Any]) -> dict[str, Any]:
    (only,) = job["template"]["spec"]["containers"]
    found: dict[str, Any] = only
    return found


def read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((BATCH / name).read_text())
    return content


class TestKubernetes:
    @pytest.mark.parametrize("content", objects(), ids=lambda content: content["metadata"]["name"])
    @pytest.mark.parametrize("version", ["1.33", kubernetes_validate.latest_version()])
    def test_takes_each_object(self, content: dict[str, Any], version: str) -> None:
        kubernetes_validate.validate(content, version, strict=True)

    def test_would_not_take_what_it_does_not_know(self) -> None:
        (job,) = [content for content in objects() if content["kind"] == "Job"]
        wrong = job | {"spec": job["spec"] | {"completionsMode": "Indexed"}}
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)

    def test_has_as_many_pods_as_there_are_shards(self) -> None:
        counts = [
            (job["completions"], word)
            for job in jobs()
            if job.get("completionMode") == "Indexed"
            for option, word in zip(container(job)["args"], container(job)["args"][1:], strict=False)
            if option == "--shard"
        ]
        assert counts == [(10, "auto/10")] * 2

    @pytest.mark.parametrize("job", jobs(), ids=lambda job: " ".join(container(job)["args"][:2]))
    def test_gives_no_pod_more_than_it_needs(self, job: dict[str, Any]) -> None:
        pod = job["template"]["spec"]
        # What backoffLimitPerIndex and podFailurePolicy need.
        assert pod["restartPolicy"] == "Never"
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container(job)["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container(job)["resources"]["limits"]

    def test_ends_the_shards_before_the_report_is_made(self) -> None:
        shards, report = [content["spec"] for content in objects() if content["kind"] == "CronJob"]
        hours = [int(spec["schedule"].split()[1]) for spec in (shards, report)]
        apart = (hours[1] - hours[0]) * 3600
        latest = shards["startingDeadlineSeconds"] + shards["jobTemplate"]["spec"]["activeDeadlineSeconds"]
        assert latest <= apart


def problems(shape: Shape, value: Any, place: str = "") -> Iterator[str]:
    """Values that are not among those of the service's model, which botocore itself does not check."""
    if isinstance(shape, StructureShape):
        for name, part in value.items():
            yield from problems(shape.members[name], part, f"{place}.{name}")
    elif isinstance(shape, ListShape):
        for number, part in enumerate(value):
            yield from problems(shape.member, part, f"{place}[{number}]")
    elif isinstance(shape, MapShape):
        for name, part in value.items():
            yield from problems(shape.value, part, f"{place}.{name}")
    elif getattr(shape, "enum", None) and value not in shape.enum:  # type: ignore[attr-defined]
        yield f"{place}: {value!r} is none of {shape.enum}"  # type: ignore[attr-defined]


def input_of(service: str, operation: str) -> StructureShape:
    model = botocore.session.get_session().get_service_model(service)
    shape = model.operation_model(operation).input_shape
    assert shape
    return shape


class TestBatch:
    def test_has_a_request_for_each_file(self) -> None:
        assert {path.name for path in BATCH.iterdir()} == REQUESTS.keys()

    @pytest.mark.parametrize("name", REQUESTS)
    def test_takes_each_request(self, name: str) -> None:
        shape = input_of(*REQUESTS[name])
        report = ParamValidator().validate(read(name), shape)
        assert not report.has_errors(), report.generate_report()
        assert list(problems(shape, read(name))) == []

    def test_would_not_take_what_it_does_not_know(self) -> None:
        shape = input_of("batch", "SubmitJob")
        wrong = read("submit-job.json") | {"arraySize": 10}
        assert ParamValidator().validate(wrong, shape).has_errors()
        definition = read("job-definition.json") | {"type": "containers"}
        assert list(problems(input_of("batch", "RegisterJobDefinition"), definition))

    def test_files_name_what_others_make(self) -> None:
        for prefix in ("", "report-"):
            definition = read(f"{prefix}job-definition.json")["jobDefinitionName"]
            (target,) = read(f"{prefix}targets.json")["Targets"]
            assert target["BatchParameters"]["JobDefinition"] == definition
            assert read(f"{prefix}targets.json")["Rule"] == read(f"{prefix}rule.json")["Name"]
        assert read("submit-job.json")["jobDefinition"] == read("job-definition.json")["jobDefinitionName"]

    def test_ends_the_shards_before_the_report_is_made(self) -> None:
        """Each of the attempts of a job may take that long."""
        hours = [
            int(read(name)["ScheduleExpression"].split()[1]) for name in ("rule.json", "report-rule.json")
        ]
        definition = read("job-definition.json")
        attempts = definition["retryStrategy"]["attempts"]
        assert attempts * definition["timeout"]["attemptDurationSeconds"] <= (hours[1] - hours[0]) * 3600

    @pytest.mark.parametrize("name", ["job-definition.json", "report-job-definition.json"])
    def test_gives_no_job_more_than_it_needs(self, name: str) -> None:
        properties = read(name)["containerProperties"]
        assert properties["readonlyRootFilesystem"] is True
        assert properties["networkConfiguration"] == {"assignPublicIp": "DISABLED"}
        assert "privileged" not in properties


class TestGithub:
    def test_takes_the_workflows(self) -> None:
        """Those of docs/ci are looked at with the same schema."""
        files = [MATRIX, *sorted((ROOT / "docs/ci").glob("github-*.yml"))]
        command = [str(TOOLS / "check-jsonschema"), "--builtin-schema", "vendor.github-workflows"]
        checked = subprocess.run(
            [*command, *map(str, files)], capture_output=True, text=True, check=False, timeout=60
        )
        assert checked.returncode == 0, checked.stdout

    def test_has_as_many_jobs_as_it_says(self) -> None:
        shard = yaml.safe_load(MATRIX.read_text())["jobs"]["shard"]
        numbers = shard["strategy"]["matrix"]["shard"]
        assert numbers == list(range(1, len(numbers) + 1))
        assert shard["strategy"]["fail-fast"] is False
        (drift,) = [step for step in shard["steps"] if step.get("name") == "Drift"]
        assert drift["env"] == {"SHARD": "${{ matrix.shard }}/${{ strategy.job-total }}"}

    def test_names_actions_by_commit_and_gives_scripts_their_values_by_the_environment(self) -> None:
        text = MATRIX.read_text()
        assert len(PINNED.findall(text)) == text.count("uses:") > 5
        steps = [step for job in yaml.safe_load(text)["jobs"].values() for step in job["steps"]]
        assert [step["run"] for step in steps if "${{" in step.get("run", "")] == []
        assert "secrets." not in text


def commands() -> list[list[str]]:
    """What the files have the program do: the words after its name."""
    batch = [read(name)["containerProperties"]["command"] for name in REQUESTS if "definition" in name]
    steps = [step for job in yaml.safe_load(MATRIX.read_text())["jobs"].values() for step in job["steps"]]
    lines = [
        line
        for step in steps
        for line in re.findall(r"(?m)^\s*provisioner (.*?)(?: \|\|.*)?$", step.get("run", ""))
    ]
    called = [shlex.split(line.replace("$SHARD", "3/10")) for line in lines]
    return [*(container(job)["args"] for job in jobs()), *batch, *called]


def test_the_commands_and_their_options_are_there() -> None:
    names = []
    for name, *words in commands():
        command: click.Command = cli.commands[name]
        if isinstance(command, click.Group):
            name, *words = words
            command = command.commands[name]
        names.append(name)
        command.make_context(name, words, parent=click.Context(cli))
        if "--shard" in words:
            shard = words[words.index("--shard") + 1]
            variables = {name: "2" for name in ("AWS_BATCH_JOB_ARRAY_INDEX",) if shard == "auto"}
            variables |= {"AWS_BATCH_JOB_ARRAY_SIZE": "10"} if variables else {"JOB_COMPLETION_INDEX": "2"}
            assert find_shard(shard, variables) == Shard(3, 10)
    assert names == ["drift", "merge", "plan", "drift", "merge", "drift", "merge"]


class TestDockerfile:
    def test_has_nothing_that_its_linter_minds(self) -> None:
        command = [str(TOOLS / "hadolint"), "--failure-threshold", "style", "Dockerfile"]
        checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
        assert checked.returncode == 0, checked.stdout

    def test_begins_with_one_version_and_ends_as_nobody(self) -> None:
        bases = re.findall(r"(?m)^FROM (\S+)", DOCKERFILE)
        assert len(set(bases)) == 1
        assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+", bases[0])
        assert re.findall(r"(?m)^USER (.*)", DOCKERFILE) == ["10001:10001"]
        assert DOCKERFILE.index("\nUSER ") > DOCKERFILE.rindex("\nFROM ")

    def test_copies_what_the_package_is_made_of_and_nothing_else(self) -> None:
        copied = {
            name for line in re.findall(r"(?m)^COPY (?!--from)(.*) \S+$", DOCKERFILE) for name in line.split()
        }
        assert all((ROOT / name).exists() for name in copied)
        allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
        assert allowed == copied

    def test_is_where_the_jobs_expect_what_they_use(self) -> None:
        assert 'ENTRYPOINT ["provisioner"]' in DOCKERFILE
        assert {job["template"]["spec"]["securityContext"]["fsGroup"] for job in jobs()} == {10001}
