"""Groups that are done elsewhere: each once, also where a process dies; and what no executor is."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from provisioner.errors import ProvisionerError, UsageError
from provisioner.many.executors import STOPPED, Pool, executor_named, run_elsewhere
from provisioner.many.jobs import Job
from provisioner.many.outcome import Outcome, Verdict
from provisioner.many.runner import Group
from provisioner.many.spec_file import SpecFile
from provisioner.model import Environment

Task = tuple[str, ...]


def group(region: str, *names: str) -> Group:
    return Group(
        None, None, region, tuple(Job(SpecFile(f"{name}.yaml"), Environment(name, region)) for name in names)
    )


def task_of(group: Group) -> Task:
    return tuple(job.spec.path for job in group.jobs)


def well(task: Task) -> list[Outcome]:
    return [Outcome(path, Verdict.OK, 0, str(os.getpid())) for path in task]


def dying_once(task: Task) -> list[Outcome]:
    """A file of its own is left by the one who dies of a task, so that the next one does not."""
    marker = Path(os.environ["MARKERS"]) / task[0]
    if "dies" in task[0] and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return well(task)


def dying(task: Task) -> list[Outcome]:
    if "dies" in task[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return well(task)


def killing_the_idle(task: Task) -> list[Outcome]:
    """Who is done first waits for more, with the lock of that; the other one kills it, once."""
    pid = Path(os.environ["MARKERS"]) / "pid"
    killed = pid.with_name("killed")
    if task[0] == "idles.yaml":
        pid.write_text(str(os.getpid()))
    elif not killed.exists():
        until(pid.exists)
        time.sleep(0.5)
        killed.touch()
        os.kill(int(pid.read_text()), signal.SIGKILL)
        time.sleep(0.5)
    return well(task)


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.01)


def run(
    name: str, do: Callable[[Task], Sequence[Outcome]], *groups: Group, stop: threading.Event | None = None
) -> dict[str, Outcome]:
    outcomes = list(run_elsewhere(executor_named(name), groups, task_of, do, stop or threading.Event()))
    told = {outcome.source: outcome for outcome in outcomes}
    assert len(told) == len(outcomes) == sum(len(group.jobs) for group in groups)
    return told


def test_what_a_process_left_that_died_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKERS", str(tmp_path))
    told = run("processes:2", dying_once, group("us-east-1", "dies", "b"), group("eu-west-1", "c"))
    assert {outcome.verdict for outcome in told.values()} == {Verdict.OK}
    assert told["dies.yaml"].words == told["b.yaml"].words != str(os.getpid())
    assert (tmp_path / "dies.yaml").exists()


@pytest.mark.timeout(120)
@pytest.mark.long
def test_one_that_dies_idle_keeps_nobody_from_ending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKERS", str(tmp_path))
    told = run("processes:2", killing_the_idle, group("us-east-1", "kills", "b"), group("eu-west-1", "idles"))
    assert {outcome.verdict for outcome in told.values()} == {Verdict.OK}
    assert (tmp_path / "killed").exists()


@pytest.mark.long
def test_what_always_dies_is_told() -> None:
    told = run("processes:1", dying, group("us-east-1", "dies", "b"), group("eu-west-1", "c"))
    assert told["dies.yaml"].verdict is told["b.yaml"].verdict is Verdict.FAILED
    assert told["c.yaml"].verdict is Verdict.OK
    trouble = told["dies.yaml"].trouble
    assert trouble
    assert trouble.message == "the process that worked on it died, 3 times"
    assert trouble.hint
    assert "safe" in trouble.hint


@pytest.mark.long
def test_what_always_dies_takes_no_other_with_it() -> None:
    groups = [group(f"us-east-{number}", f"{number}") for number in range(1, 5)]
    told = run(
        "processes:2", dying, group("eu-west-1", "dies", "b"), group("eu-west-2", "dies2", "d"), *groups
    )
    bad = {"dies.yaml", "b.yaml", "dies2.yaml", "d.yaml"}
    assert {path for path, outcome in told.items() if outcome.verdict is Verdict.FAILED} == bad
    assert {told[path].verdict for path in told.keys() - bad} == {Verdict.OK}


def test_what_was_lost_is_not_told_as_not_begun_when_it_is_interrupted() -> None:
    stop = threading.Event()

    class Broken(ThreadPoolExecutor):
        def submit(self, do: object, task: object) -> Future[object]:  # type: ignore[override]
            stop.set()
            future = Future[object]()
            future.set_exception(BrokenExecutor())
            return future

    groups = [group("us-east-1", "a"), group("eu-west-1", "b")]
    outcomes = list(run_elsewhere(threads(1, Broken(1)), groups, task_of, well, stop))  # type: ignore[arg-type]
    assert [outcome.verdict for outcome in outcomes] == [Verdict.INTERRUPTED] * 2
    assert [outcome.words for outcome in outcomes] == [
        "the process that worked on it died, and then it was interrupted",
        "interrupted before it was begun",
    ]


def when_interrupted(task: Task) -> list[Outcome]:
    until(STOPPED.is_set)
    return well(task) if STOPPED.is_set() else []


def test_a_process_that_is_interrupted_while_it_starts_ends_as_any_other() -> None:
    with executor_named("processes:1")() as pool:
        done = pool.executor.submit(when_interrupted, ("a.yaml",))
        pool.interrupt()
        assert [outcome.verdict for outcome in done.result(60)] == [Verdict.OK]


def long(task: Task) -> list[Outcome]:
    Path(os.environ["MARKERS"], "begun").touch()
    time.sleep(60)
    return well(task)


def give_out_what_takes_long() -> None:
    run("processes:1", long, group("us-east-1", "a"))


@pytest.mark.long
def test_no_process_outlives_who_gives_out_the_tasks(tmp_path: Path) -> None:
    asked = f"from {__name__} import give_out_what_takes_long as give; give()"
    giving = subprocess.Popen(
        [sys.executable, "-c", asked], env={**os.environ, "MARKERS": str(tmp_path)}, stdout=subprocess.PIPE
    )
    until((tmp_path / "begun").exists)
    giving.kill()
    # What it writes to is open as long as one of its processes is there.
    assert giving.communicate(timeout=30)[0] == b""


def threads(
    number: int,
    executor: Executor | None = None,
    size: Callable[[], int] | None = None,
    patience_s: float = 60,
) -> Callable[[], object]:
    @contextmanager
    def opened() -> Iterator[Pool]:
        with executor or ThreadPoolExecutor(number) as pool:
            yield Pool(pool, size or (lambda: number), patience_s=patience_s)

    return opened


def outcomes_of(
    opened: Callable[[], object], *names: str, stop: threading.Event | None = None
) -> list[Outcome]:
    """What becomes of a group for each name."""
    groups = [group(f"{name}-1", name) for name in names]
    return list(run_elsewhere(opened, groups, task_of, well, stop or threading.Event()))  # type: ignore[arg-type]


class ClosedClientError(Exception):
    """As Dask has it."""


@pytest.mark.parametrize("error", [ClosedClientError("gone"), OSError("no process can be started")])
def test_what_cannot_be_handed_out_any_more_is_told_and_what_runs_goes_on(error: Exception) -> None:
    class Closing(ThreadPoolExecutor):
        def submit(self, do: object, task: object) -> Future[object]:  # type: ignore[override]
            if task != ("a.yaml",):
                raise error
            return super().submit(do, task)  # type: ignore[arg-type]

    told = outcomes_of(threads(2, Closing(1)), "a", "b", "c")
    assert {outcome.source: outcome.verdict for outcome in told} == {
        "a.yaml": Verdict.OK,
        "b.yaml": Verdict.FAILED,
        "c.yaml": Verdict.FAILED,
    }
    assert len(told) == 3
    assert {outcome.words for outcome in told[:2]} == {
        f"it could not be done elsewhere: {type(error).__name__}: {error}"
    }


def test_so_it_is_where_the_scheduler_does_not_tell_of_its_workers_any_more() -> None:
    answers = iter([1])

    def size() -> int:
        for answer in answers:
            return answer
        raise OSError("the scheduler is gone")

    told = outcomes_of(threads(1, size=size), "a", "b", "c")
    assert sorted((outcome.source, outcome.verdict) for outcome in told) == [
        ("a.yaml", Verdict.OK),
        ("b.yaml", Verdict.FAILED),
        ("c.yaml", Verdict.FAILED),
    ]
    assert "the scheduler is gone" in told[-1].words


class Waiting(ThreadPoolExecutor):
    """A cluster that takes tasks which no worker does."""

    def submit(self, do: object, task: object) -> Future[object]:  # type: ignore[override]
        return Future[object]()


def sizes(*first: int) -> Callable[[], int]:
    """So many workers, and then none."""
    told = iter(first)
    return lambda: next(told, 0)


@pytest.mark.timeout(60)
def test_nobody_waits_for_ever_for_a_cluster_without_workers() -> None:
    told = outcomes_of(threads(1, Waiting(1), sizes(1), patience_s=0.1), "a", "b")
    assert [(outcome.source, outcome.verdict) for outcome in told] == [
        ("a.yaml", Verdict.FAILED),
        ("b.yaml", Verdict.FAILED),
    ]
    assert {outcome.words for outcome in told} == {"the cluster has had no worker for 0.1 s"}


@pytest.mark.timeout(60)
def test_an_interruption_ends_what_no_worker_is_left_for() -> None:
    stop = threading.Event()

    class Stopping(Waiting):
        def submit(self, do: object, task: object) -> Future[object]:  # type: ignore[override]
            stop.set()
            return super().submit(do, task)

    told = outcomes_of(threads(1, Stopping(1), sizes(1)), "a", "b", stop=stop)
    assert [outcome.verdict for outcome in told] == [Verdict.INTERRUPTED] * 2
    assert told[0].words == "interrupted, with no worker left to end it"
    assert told[1].words == "interrupted before it was begun"


def test_once_it_is_interrupted_nothing_more_is_begun() -> None:
    stop = threading.Event()

    def stopping(task: Task) -> list[Outcome]:
        stop.set()
        return well(task)

    groups = [group(f"us-east-{number}", f"{number}") for number in range(1, 6)]
    outcomes = list(run_elsewhere(threads(1), groups, task_of, stopping, stop))  # type: ignore[arg-type]
    assert [outcome.verdict for outcome in outcomes] == [Verdict.OK] + [Verdict.INTERRUPTED] * 4
    assert [outcome.exit_code for outcome in outcomes[1:]] == [130] * 4


@pytest.mark.parametrize(
    ("error", "verdict", "message"),
    [
        (CancelledError(), Verdict.FAILED, "the connection to the cluster was lost"),
        (UsageError("another version", "install this one"), Verdict.WRONG, "another version"),
        (ProvisionerError("no", "yes"), Verdict.FAILED, "no"),
        (
            ImportError("No module named 'provisioner'"),
            Verdict.FAILED,
            "done elsewhere: ImportError: No module",
        ),
    ],
)
def test_what_stops_one_group_stops_no_other(error: Exception, verdict: Verdict, message: str) -> None:
    class Failing(ThreadPoolExecutor):
        def submit(self, do: object, task: object) -> Future[object]:  # type: ignore[override]
            future = Future[object]()
            if task == ("a.yaml",):
                future.set_exception(error)
            else:
                future.set_result(well(task))  # type: ignore[arg-type]
            return future

    groups = [group("us-east-1", "a"), group("eu-west-1", "b")]
    outcomes = list(
        run_elsewhere(threads(2, Failing(1)), groups, task_of, well, threading.Event())  # type: ignore[arg-type]
    )
    assert {outcome.source: outcome.verdict for outcome in outcomes} == {
        "a.yaml": verdict,
        "b.yaml": Verdict.OK,
    }
    (bad,) = [outcome for outcome in outcomes if outcome.source == "a.yaml"]
    assert bad.trouble
    assert message in bad.trouble.message


@pytest.mark.parametrize(
    "text",
    [
        *("", "threads", "processes:", "processes:0", "processes:-1", "processes:two", "dask", "dask://"),
        *("dask://host", "dask://host:port", "dask://host:99999", "dask://:8786", "tcp://host:8786"),
        *("dask://user:secret@host:8786", "dask://host:8786/path", "dask://host:8786?x"),
    ],
)
def test_what_no_executor_is(text: str) -> None:
    with pytest.raises(UsageError) as told:
        executor_named(text)
    assert told.value.hint == (
        "known are processes, processes:NUMBER, dask://HOST:PORT and dask+tls://HOST:PORT"
    )


@pytest.mark.parametrize("text", ["processes", "processes:4", "dask://h:8786", "dask+tls://[::1]:8786"])
def test_what_an_executor_is(text: str) -> None:
    assert callable(executor_named(text))


def test_outcomes_are_data() -> None:
    outcome = Outcome("a.yaml", Verdict.OK, 0, "no changes")
    assert pickle.loads(pickle.dumps(outcome)) == outcome
