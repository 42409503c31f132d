"""Groups of environments done elsewhere: in processes of this machine, or on the workers of a Dask cluster.

Both by the interface of `concurrent.futures`. What is sent is data: which specs, and with what options; what
comes back are outcomes. Credentials are never sent, as each worker has its own. A group whose worker dies is
done again, from observing on; that this is safe, also in the middle of an apply, is what docs/exactly-once.md
promises.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import AbstractContextManager, contextmanager
from multiprocessing import active_children, parent_process
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any, TypeVar
from urllib.parse import urlsplit

from provisioner.errors import Interrupted, ProvisionerError, UsageError
from provisioner.extras import install_command
from provisioner.lazy_dataclass import dataclass
from provisioner.many.jobs import failed
from provisioner.many.outcome import Outcome
from provisioner.many.runner import NOT_BEGUN, Group
from provisioner.signals import hear

TASK = TypeVar("TASK")

PROCESSES = "processes"
# The schemes of `--executor`, and what Dask calls them. https://distributed.dask.org/en/stable/tls.html
DASK = {"dask": "tcp", "dask+tls": "tls"}
KNOWN = "processes, processes:NUMBER, dask://HOST:PORT and dask+tls://HOST:PORT"
# How often a group is given to processes of which one dies. Dask has a limit of its own, which is 3 as well.
MAX_ATTEMPTS = 3
# How long a cluster may take to answer, and its first worker to come.
CONNECT_S, FIRST_WORKER_S = 30, 60
# How soon an interruption is heeded.
POLL_S = 0.5


@dataclass(frozen=True)
class Pool:
    """An executor, how many tasks it works on at once, and what it is told when the run is interrupted.

    `patience_s`: how long it may be that it works on none, as no worker is there.
    """

    executor: Executor
    size: Callable[[], int]
    interrupt: Callable[[], None] = lambda: None
    patience_s: float = FIRST_WORKER_S


Open = Callable[[], AbstractContextManager[Pool]]


def executor_named(text: str) -> Open:
    """What `--executor` names, to be opened when it is needed. Raises UsageError."""
    word, _, number = text.partition(":")
    if word == PROCESSES and (text == word or (number.isascii() and number.isdecimal() and int(number))):
        return lambda: _processes(int(number) if number else os.cpu_count() or 1)
    try:
        parts = urlsplit(text)
        is_address = bool(parts.hostname and parts.port) and parts.netloc == text.partition("://")[2]
    except ValueError:
        is_address = False
    if not is_address or parts.username or parts.scheme not in DASK:
        raise UsageError(f"--executor {text!r}: there is no such executor", f"known are {KNOWN}")
    return lambda: _dask(f"{DASK[parts.scheme]}://{parts.netloc}", text)


def is_of_this_machine(text: str) -> bool:
    """Whether the processes of a known `--executor` have the AWS configuration that is here."""
    return text.partition(":")[0] == PROCESSES


def run_elsewhere(
    open_pool: Open,
    groups: Sequence[Group],
    task_of: Callable[[Group], TASK],
    do: Callable[[TASK], Sequence[Outcome]],
    stop: threading.Event,
) -> Iterator[Outcome]:
    """One outcome for each job, as the groups end. `do` is found by its name where the task is done.

    No more groups are handed out than are worked on at once, so that nothing is begun once `stop` is set.
    Raises UsageError and ProvisionerError where the executor cannot be had.
    """
    waiting = deque(sorted(groups, key=lambda group: len(group.jobs), reverse=True))
    # Those whose process died. Which of several it died of is not known, so each is done again by itself.
    doubtful: deque[Group] = deque()
    attempts: Counter[int] = Counter()
    while (doubtful or waiting) and not stop.is_set():
        lost: list[Group] = []
        with open_pool() as pool:
            yield from _run(pool, doubtful or waiting, task_of, do, stop, lost, alone=bool(doubtful))
        for group in lost:
            attempts[id(group)] += 1
            if attempts[id(group)] < MAX_ATTEMPTS:
                doubtful.append(group)
            else:
                told = f"the process that worked on it died, {MAX_ATTEMPTS} times"
                yield from _all(group, ProvisionerError(told, AGAIN))
    for group in doubtful:
        yield from _all(group, Interrupted("the process that worked on it died, and then it was interrupted"))
    for group in waiting:
        yield from _all(group, Interrupted(NOT_BEGUN))


# What was begun may be done.
AGAIN = "run the same again, which is safe; with fewer at once if memory ran out"


def _run(
    pool: Pool,
    waiting: deque[Group],
    task_of: Callable[[Group], TASK],
    do: Callable[[TASK], Sequence[Outcome]],
    stop: threading.Event,
    lost: list[Group],
    alone: bool,
) -> Iterator[Outcome]:
    """What the groups come to that are done, one after the other if `alone`; `lost` gets those whose process
    died."""
    running: dict[Future[Sequence[Outcome]], Group] = {}
    is_broken = is_told = False
    had_workers = time.monotonic()
    while running or (waiting and not is_broken and not stop.is_set()):
        size, gone = _size(pool)
        room = min(size, 1) if alone else size
        while waiting and not (is_broken or gone or stop.is_set()) and len(running) < room:
            group = waiting.popleft()
            task = task_of(group)
            try:
                running[pool.executor.submit(do, task)] = group
            except BrokenExecutor:
                is_broken = True
                lost.append(group)
            except Exception as error:  # noqa: BLE001  what runs already may still end
                gone = error
                yield from _all(group, ProvisionerError(_told(error), AGAIN))
        if gone and not stop.is_set():
            yield from _rest(waiting, ProvisionerError(_told(gone), AGAIN))
        if running:
            done, _ = wait(running, timeout=POLL_S, return_when=FIRST_COMPLETED)
        else:
            done = set()
            stop.wait(POLL_S if waiting and not is_broken else 0)
        if stop.is_set() and not is_told:
            pool.interrupt()
            is_told = True
        for future in done:
            group = running.pop(future)
            try:
                yield from future.result()
            except BrokenExecutor:
                is_broken = True
                lost.append(group)
            except CancelledError:
                told = "what it was being done by is gone: the connection to the cluster was lost"
                yield from _all(group, ProvisionerError(told, AGAIN))
            except ProvisionerError as error:
                yield from _all(group, error)
            except Exception as error:  # noqa: BLE001  it stops no other group
                yield from _all(group, ProvisionerError(_told(error), AGAIN))
        had_workers = time.monotonic() if size else had_workers
        if size == 0 and (stop.is_set() or time.monotonic() - had_workers >= pool.patience_s):
            for future in running:
                future.cancel()
            yield from _rest(deque(running.values()), _without_workers(pool, stop))
            running.clear()
            if not stop.is_set():
                yield from _rest(waiting, _without_workers(pool, stop))


def _size(pool: Pool) -> tuple[int, Exception | None]:
    """How many tasks are worked on at once; 0, and why, where that cannot be asked any more."""
    try:
        return pool.size(), None
    except Exception as error:  # noqa: BLE001  whatever Dask raises whose scheduler is gone
        return 0, error


def _rest(groups: deque[Group], error: ProvisionerError) -> Iterator[Outcome]:
    """All these groups as failed, of which none is left then."""
    while groups:
        yield from _all(groups.popleft(), error)


def _without_workers(pool: Pool, stop: threading.Event) -> ProvisionerError:
    if stop.is_set():
        return Interrupted("interrupted, with no worker left to end it", AGAIN)
    return ProvisionerError(f"the cluster has had no worker for {pool.patience_s:g} s", AGAIN)


def _told(error: Exception) -> str:
    # What Dask says in the end of a task whose workers die; it has tried others by then.
    if type(error).__name__ == "KilledWorker":
        return "the workers that worked on it died, one after the other; their logs may say why"
    return f"it could not be done elsewhere: {type(error).__name__}: {error}"


def _all(group: Group, error: ProvisionerError) -> Iterator[Outcome]:
    return (failed(job, error) for job in group.jobs)


@contextmanager
def _processes(number: int) -> Iterator[Pool]:
    """Processes of this machine, made anew: whoever has threads must not be copied."""
    with ProcessPoolExecutor(number, _Anew(), initializer=heed_interruptions) as executor:
        yield Pool(executor, lambda: number, _interrupt_children)


class _Process(SpawnProcess):
    """One that Ctrl-C may reach while it starts: the signal waits until it is heeded."""

    def start(self) -> None:
        # What blocks a signal is inherited. https://docs.python.org/3/library/signal.html#signal.pthread_sigmask
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Anew(SpawnContext):
    Process = _Process


def _interrupt_children() -> None:
    for child in active_children():
        if child.pid:
            os.kill(child.pid, signal.SIGINT)


# Set in a process of the pool when it is to begin nothing more.
STOPPED = threading.Event()


def heed_interruptions() -> None:
    """In a process of the pool: an interruption begins nothing more, and what is in flight ends.

    Not so with SIGTERM, by which the pool ends the others when one has died: what these share may be locked
    by the dead one.
    """
    threading.Thread(target=_end_with_the_pool, daemon=True).start()
    hear([signal.SIGINT], lambda _: STOPPED.set())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


def _end_with_the_pool() -> None:
    """End at once when whoever gives out the tasks has: nobody is told any more what they came to."""
    parent = parent_process()
    if parent:
        parent.join()
        os._exit(1)


@contextmanager
def _dask(address: str, text: str) -> Iterator[Pool]:
    """The workers of a Dask cluster. https://distributed.dask.org/en/stable/client.html"""
    try:
        from distributed import Client
    except ImportError:
        raise UsageError("--executor dask://: Dask is not installed", install_command("dask")) from None
    import logging

    # What becomes of each group is told by its outcomes.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False, name="provisioner")
    except (OSError, ValueError, TypeError) as error:
        raise ProvisionerError(
            f"--executor {text}: no scheduler of Dask answers there within {CONNECT_S} s: {error}",
            "start one with `dask scheduler`, and workers with `dask worker`; see docs/scale.md",
        ) from None
    try:
        try:
            client.wait_for_workers(1, timeout=FIRST_WORKER_S)
        except TimeoutError:
            raise ProvisionerError(
                f"--executor {text}: the cluster has no worker after {FIRST_WORKER_S} s",
                "start one with `dask worker`; see docs/scale.md",
            ) from None
        # Not `pure`: what was asked for once may have to be done again.
        yield Pool(client.get_executor(pure=False), lambda: _threads(client))
    finally:
        client.close()


def _threads(client: Any) -> int:
    """How many tasks the workers do at once, of as many workers as there are now."""
    return sum(client.nthreads().values())
