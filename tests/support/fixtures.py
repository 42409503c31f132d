"""One local AWS for each process that runs tests, emptied before each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session

import local_aws
import provisioner.kinds.fleet.launching.launch
import provisioner.kinds.fleet.read.aside
import provisioner.reconcile
import provisioner.waiter
from local_aws import LocalAws
from tests.support import botocore_once
from tests.support.cloud import Cloud
from tests.support.forks import Forks
from tests.support.local_server import running_local_aws
from tests.support.program import ROOT, Program, Ran, clean_environment, command, run_process
from tests.support.witness import Witness

botocore_once.remember()

Run = Callable[..., Ran]
Handler = Callable[..., None]
OnEvent = Callable[[str, Handler], None]


@pytest.fixture(scope="session")
def local_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the local AWS of these tests keeps its files."""
    return tmp_path_factory.mktemp("local-aws")


@pytest.fixture(scope="session")
def shared_server(local_folder: Path) -> Iterator[LocalAws]:
    """The process of the local AWS."""
    with running_local_aws(local_folder) as running:
        yield running


@pytest.fixture(scope="session")
def aws(shared_server: LocalAws) -> Cloud:
    """The local AWS as the last test left it, for tests that empty it themselves."""
    return Cloud(shared_server)


@pytest.fixture
def cloud(aws: Cloud) -> Cloud:
    """The local AWS: empty, with nothing wrong and nothing called yet."""
    local_aws.control(aws.server, "reset", {})
    return aws


@pytest.fixture
def program(
    cloud: Cloud,
    local_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Program:
    """The program in this process, with pauses shortened as suits a cloud that answers at once."""
    monkeypatch.setenv("PROVISIONER_LOCAL", "1")
    monkeypatch.setenv("PROVISIONER_LOCAL_DIR", str(local_folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(local_folder))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(provisioner.waiter, "ROUNDS", (0.01, 0.05))
    monkeypatch.setattr(provisioner.reconcile, "PAUSES", (0.01, 0.05, 0.1))
    monkeypatch.setattr(provisioner.kinds.fleet.launching.launch, "MAX_MISMATCH_S", 0.3)
    # What is said has to be the same however busy the machine is.
    monkeypatch.setattr(provisioner.kinds.fleet.read.aside, "GRACE_S", 10.0)
    return Program(tmp_path)


@pytest.fixture
def on_event(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[OnEvent]:
    """`on_event(name, handler)`: what hears of calls that the program in this process makes from now on, by
    botocore's names of events. The tests' own clients are there already, and are not heard of."""
    handlers: list[tuple[str, Handler]] = []
    made: list[Session] = []
    make = Session.__init__

    def make_heard(session: Session, *args: Any, **kwargs: Any) -> None:
        make(session, *args, **kwargs)
        made.append(session)
        for name, handler in handlers:
            session.register(name, handler)

    monkeypatch.setattr(Session, "__init__", make_heard)
    yield lambda name, handler: handlers.append((name, handler))
    assert made or not handlers, "the program made no session that anything could be heard of"


@pytest.fixture
def witness(cloud: Cloud, on_event: OnEvent) -> Witness:
    """Sees each call to EC2 that the program in this process makes."""
    observed = Witness(cloud)
    on_event("provide-client-params.ec2", observed.note)
    on_event("after-call.ec2", observed.look)
    return observed


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home without any AWS configuration."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def local_environment(cloud: Cloud, local_folder: Path, home: Path) -> dict[str, str]:
    """The variables with which the program uses the local AWS of these tests."""
    return clean_environment(
        home,
        PROVISIONER_LOCAL="1",
        PROVISIONER_LOCAL_DIR=str(local_folder),
        # What prices are asked for is asked once, and not in each test.
        XDG_CACHE_HOME=str(local_folder),
    )


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """What runs the program as processes of their own that need not import it."""
    with Forks(
        tmp_path_factory.mktemp("forks"), clean_environment(tmp_path_factory.mktemp("nowhere"))
    ) as forks:
        yield forks


def _run(
    forks: Forks, args: Sequence[str | Path], environment: dict[str, str], cwd: Path, stdin: str | None
) -> Ran:
    """A fork; where Python itself is told something, a process that begins with Python's beginning."""
    if _of_python(environment) != _of_python(forks.environment):
        return run_process(command([str(arg) for arg in args]), environment, cwd=cwd, stdin=stdin)
    return forks.fork(args, stdin or "", environment=environment, cwd=str(cwd)).end()


@pytest.fixture
def run(local_environment: dict[str, str], forks: Forks) -> Run:
    """Runs the program against the local AWS: `run("plan", path)`; `env` adds variables, None removes."""

    def running(
        *args: str | Path,
        env: dict[str, str | None] | None = None,
        cwd: Path = ROOT,
        stdin: str | None = None,
    ) -> Ran:
        return _run(forks, args, _with(local_environment, env), cwd, stdin)

    return running


@pytest.fixture
def run_on_aws(cloud: Cloud, home: Path, forks: Forks) -> Run:
    """Runs the program as on AWS: with access keys, and the local AWS standing in at an endpoint."""
    environment = clean_environment(
        home,
        AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE",
        AWS_SECRET_ACCESS_KEY="secret",
        AWS_ENDPOINT_URL=cloud.server.endpoint_url,
    )

    def running(*args: str | Path, env: dict[str, str | None] | None = None) -> Ran:
        return _run(forks, args, _with(environment, env), ROOT, None)

    return running


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Any], Path]:
    """Writes a spec, given as a mapping, to a file."""
    return Program(tmp_path).write


def _of_python(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that Python reads when it starts."""
    return {name: value for name, value in environment.items() if name.startswith(("PYTHON", "LANG", "LC_"))}


def _with(environment: dict[str, str], more: dict[str, str | None] | None) -> dict[str, str]:
    merged = {**environment, **(more or {})}
    return {name: value for name, value in merged.items() if value is not None}
