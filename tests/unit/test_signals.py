"""Signals are heard at once, also by a program whose main thread waits for something else."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from queue import SimpleQueue

import pytest

from provisioner.cli.change import stoppable
from provisioner.signals import heard

NUMBERS = (signal.SIGINT, signal.SIGTERM)
LATER = (signal.SIGTERM, signal.SIGHUP)
# For the main thread to wait by then.
MOMENT_S = 0.2


@pytest.fixture
def restored() -> Iterator[None]:
    """What is done of signals before the test is done after it."""
    before = {number: signal.getsignal(number) for number in (*NUMBERS, *LATER)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def get(number: int) -> None:
    """This thread gets a signal, and not the main thread."""
    time.sleep(MOMENT_S)
    signal.pthread_kill(threading.get_ident(), number)


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
def test_one_that_another_thread_gets_is_heard_while_the_main_thread_waits(number: int) -> None:
    told: SimpleQueue[int] = SimpleQueue()
    ended: SimpleQueue[int] = SimpleQueue()

    def get_it_and_wait() -> None:
        get(number)
        ended.put(told.get(timeout=10))

    with heard(NUMBERS, told.put):
        threading.Thread(target=get_it_and_wait).start()
        assert ended.get(timeout=20) == number


@pytest.mark.usefixtures("restored")
def test_it_stops_what_can_be_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    ended: SimpleQueue[bool] = SimpleQueue()
    before = signal.getsignal(signal.SIGINT)

    with stoppable() as stop:

        def get_it_and_wait() -> None:
            get(signal.SIGTERM)
            ended.put(stop.wait(10))

        threading.Thread(target=get_it_and_wait).start()
        assert ended.get(timeout=20)
    assert capsys.readouterr().err.startswith("stopping: ")
    # The program ends now, with its exit code: whoever asks it to once more does not end it without.
    assert {signal.getsignal(number) for number in LATER} == {signal.SIG_IGN}
    assert signal.getsignal(signal.SIGINT) == before


def test_what_was_not_stopped_can_be_ended_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stoppable():
        pass
    assert signal.getsignal(signal.SIGTERM) == before


def test_others_and_those_that_come_later_are_not_told() -> None:
    told: list[int] = []
    before = {number: signal.getsignal(number) for number in (*NUMBERS, signal.SIGUSR1)}
    others: list[int] = []
    signal.signal(signal.SIGUSR1, lambda number, _: others.append(number))
    try:
        with heard([signal.SIGTERM], told.append):
            signal.raise_signal(signal.SIGUSR1)
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before[signal.SIGUSR1])
    assert told == [signal.SIGTERM]
    assert others == [signal.SIGUSR1] * 2
    assert before == {number: signal.getsignal(number) for number in before}
    assert signal.set_wakeup_fd(-1) == -1
