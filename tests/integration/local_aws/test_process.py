"""Starting, finding and stopping the process."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest

import local_aws
from local_aws.errors import LocalAwsError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state directory of the test's own; what runs at the end is stopped."""
    monkeypatch.setenv("PROVISIONER_LOCAL_DIR", str(tmp_path))
    yield tmp_path
    local_aws.down()


def test_up_status_down(home: Path) -> None:
    assert local_aws.status() is None
    running = local_aws.up(port=0, latency_ms=1, seed=7)
    assert local_aws.status() == running
    assert running.endpoint_url == f"http://127.0.0.1:{running.port}"
    assert local_aws.get_faults(running).seed == 7
    again = local_aws.up()
    assert again == running
    assert local_aws.get_faults(running).seed == 7, "a second up without switches changes nothing"
    local_aws.up(boot_s=2)
    assert local_aws.get_faults(running) == local_aws.Faults(boot_s=2)
    with pytest.raises(LocalAwsError) as other:
        local_aws.up(port=running.port + 1)
    assert other.value.hint
    _check_reset(running)
    assert local_aws.down() is True
    with pytest.raises(ProcessLookupError):
        os.kill(running.pid, 0)
    assert local_aws.status() is None
    assert local_aws.down() is False


def _check_reset(running: local_aws.LocalAws) -> None:
    for region in ("us-east-1", "eu-west-1"):
        local_aws.add_instance(running, region=region)
    local_aws.advance(running, 3600)
    assert local_aws.clock_ahead(running) == 3600
    local_aws.reset()
    assert local_aws.clock_ahead(running) == 0, "what is there next is not of tomorrow"
    assert local_aws.get_faults(running) == local_aws.Faults()
    assert local_aws.calls(running) == []
    local_aws.add_instance(running)
    with pytest.raises(LocalAwsError):
        local_aws.add_instance(running)
    assert local_aws.status() == running


@pytest.mark.long
def test_it_survives_the_process_that_started_it(home: Path) -> None:
    script = "import local_aws as l; print(l.up(port=0).pid)"
    started = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    running = local_aws.status()
    assert running is not None
    assert running.pid == int(started.stdout)


@pytest.mark.long
def test_two_ups_at_once_start_one(home: Path) -> None:
    script = "import local_aws as l; print(l.up(port=0).pid)"
    command = [sys.executable, "-c", script]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert len({process.communicate()[0] for process in both}) == 1


def test_a_port_that_is_taken_is_an_error_with_a_hint(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(LocalAwsError) as taken:
        local_aws.up(port=other.getsockname()[1])
    assert "--port" in (taken.value.hint or "")


@pytest.mark.long
def test_the_usual_port_that_another_takes_meanwhile_is_not_needed(home: Path) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", local_aws.DEFAULT_PORT))
        except OSError:
            pytest.skip(f"port {local_aws.DEFAULT_PORT} is taken already")
        # Free for all who ask, until somebody listens: here, as soon as the process has been started.
        with ThreadPoolExecutor(1) as pool:
            starting = pool.submit(local_aws.up)
            while not starting.done() and not (home / "local-aws.log").exists():
                time.sleep(0.001)
            other.listen()
            running = starting.result()
    assert running.port != local_aws.DEFAULT_PORT
    assert local_aws.status() == running


@pytest.mark.parametrize("content", ['{"port": 1, "pid": 999999999}', "nonsense", '{"port": 1}'])
def test_a_stale_pid_file_is_recognised_and_removed(home: Path, content: str) -> None:
    stale = home / "local-aws.json"
    stale.write_text(content)
    assert local_aws.status() is None
    assert not stale.exists()


def test_a_pid_that_belongs_to_another_program_now_is_stale(home: Path) -> None:
    (home / "local-aws.json").write_text(json.dumps({"port": 9, "pid": os.getpid()}))
    assert local_aws.status() is None
    assert local_aws.down() is False


def test_without_a_running_one_there_is_nothing_to_reset(home: Path) -> None:
    with pytest.raises(LocalAwsError) as nothing:
        local_aws.reset()
    assert "provisioner local up" in (nothing.value.hint or "")


def test_an_unknown_switch_is_an_error(home: Path) -> None:
    with pytest.raises(LocalAwsError, match="no such switch: colour"):
        local_aws.up(port=0, colour="red")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "localhost", "192.168.0.1"])
def test_it_refuses_any_address_but_loopback(host: str) -> None:
    command = [sys.executable, "-m", "local_aws", "--host", host]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "refusing to listen" in done.stderr


def test_state_is_kept_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROVISIONER_LOCAL_DIR", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert local_aws.state_dir() == tmp_path / "own"
    monkeypatch.delenv("PROVISIONER_LOCAL_DIR")
    assert local_aws.state_dir() == tmp_path / "state" / "provisioner"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert local_aws.state_dir() == tmp_path / ".local" / "state" / "provisioner"


def test_importing_it_is_light() -> None:
    heavy = ("moto", "flask", "boto3", "botocore", "werkzeug")
    script = f"import sys, local_aws; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_other_services_are_motos_own(local: local_aws.LocalAws) -> None:
    queues = boto3.client(
        "ssm",
        region_name="us-east-1",
        endpoint_url=local.endpoint_url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    queues.put_parameter(Name="/mine", Value="1", Type="String")
    assert queues.get_parameter(Name="/mine")["Parameter"]["Value"] == "1"


def test_what_is_missing_is_told_with_a_command_that_installs_it(tmp_path: Path) -> None:
    """Python without its packages, but for those that every command needs."""
    for name in ("click", "rich", "provisioner", "local_aws"):
        found = importlib.util.find_spec(name)
        assert found
        assert found.origin
        (tmp_path / name).symlink_to(Path(found.origin).parent)
    environment = {"PYTHONPATH": str(tmp_path), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-S", "-m", "provisioner", "local", "up"]
    ran = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 1
    assert "the local AWS is not installed" in ran.stderr
    assert f"{sys.executable} -m pip install" in ran.stderr
    assert "moto[ec2,iam]" in ran.stderr
    assert "provisioner[local]" not in ran.stderr
