"""Files of the local AWS: who can read them, whose they are, and that a wrong one ends no process."""

from __future__ import annotations

import fcntl
import http.server
import json
import os
import pwd
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import local_aws
from local_aws import LocalAws
from local_aws.errors import LocalAwsError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state folder of the test's own, that does not exist yet; what runs at the end is stopped."""
    folder = tmp_path / "state"
    monkeypatch.setenv("PROVISIONER_LOCAL_DIR", str(folder))
    yield folder
    with suppress(LocalAwsError):
        local_aws.down()


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with the local AWS."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        yield process
        assert process.poll() is None, "somebody else's process was ended"
        process.kill()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_user_can_read_what_is_kept(home: Path) -> None:
    before = os.umask(0)
    try:
        local_aws.up(port=0)
    finally:
        os.umask(before)
    assert mode(home) == 0o700
    assert {path.name: mode(path) for path in home.iterdir()} == {
        "local-aws.json": 0o600,
        "local-aws.lock": 0o600,
        "local-aws.log": 0o600,
    }


@pytest.mark.long
def test_a_folder_of_an_earlier_version_is_closed_to_others(home: Path) -> None:
    home.mkdir()
    home.chmod(0o775)
    (home / "local-aws.log").touch()
    local_aws.up(port=0)
    assert mode(home) == 0o700


@pytest.mark.long
def test_a_folder_with_other_things_in_it_keeps_its_mode(home: Path) -> None:
    home.mkdir()
    home.chmod(0o755)
    (home / "notes.txt").touch()
    local_aws.up(port=0)
    assert mode(home) == 0o755
    assert mode(home / "local-aws.json") == 0o600


def _sticky(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o1777)


def _writable_by_others(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "theirs").touch()


def _of_another_user(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)


def _link_of_another_user(folder: Path) -> None:
    target = folder.with_name("target")
    target.mkdir(mode=0o700)
    folder.symlink_to(target)
    os.lchown(folder, 65534, 65534)


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give things away")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_sticky, "shared"),
        (_writable_by_others, "shared"),
        pytest.param(_of_another_user, "another user", marks=as_root),
        pytest.param(_link_of_another_user, "another user", marks=as_root),
    ],
)
def test_a_folder_in_which_others_can_put_things_is_refused(
    make: Callable[[Path], None], said: str, home: Path
) -> None:
    make(home)
    actions: list[Callable[[], object]] = [
        lambda: local_aws.up(port=0),
        local_aws.status,
        local_aws.down,
        local_aws.reset,
    ]
    for action in actions:
        with pytest.raises(LocalAwsError, match=said) as refused:
            action()
        assert "PROVISIONER_LOCAL_DIR" in (refused.value.hint or "")
    if home.is_dir():
        home.chmod(0o700)
        os.chown(home, os.geteuid(), os.getegid())


@contextmanager
def listening(answer: dict[str, Any] | None) -> Iterator[int]:
    """A port of a program that is not the local AWS: with an answer to everything, or with none at all."""
    if answer is None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            yield silent.getsockname()[1]
        return

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize("kind", ["closed", "silent", "answers as the pid file says"])
def test_a_pid_that_is_somebody_elses_by_now_is_not_ended(
    kind: str, home: Path, bystander: subprocess.Popen[bytes]
) -> None:
    home.mkdir(mode=0o700)
    answer = {"pid": bystander.pid, "plain": False} if kind.startswith("answers") else None
    with listening(answer) as port:
        said = {"port": 1 if kind == "closed" else port, "pid": bystander.pid, "token": "0" * 32}
        (home / "local-aws.json").write_text(json.dumps(said))
        assert local_aws.status() is None
        (home / "local-aws.json").write_text(json.dumps(said))
        assert local_aws.down() is False


def test_a_pid_file_that_is_a_link_is_not_followed(home: Path, bystander: subprocess.Popen[bytes]) -> None:
    home.mkdir(mode=0o700)
    target = home.with_name("elsewhere.json")
    target.write_text(json.dumps({"port": 9, "pid": bystander.pid, "token": "0"}))
    with target.open() as held:  # even where somebody holds the lock
        fcntl.flock(held, fcntl.LOCK_EX)
        (home / "local-aws.json").symlink_to(target)
        assert local_aws.down() is False
    assert target.exists()


@pytest.mark.parametrize("name", ["local-aws.log", "local-aws.lock"])
def test_no_other_file_is_followed_either(name: str, home: Path) -> None:
    home.mkdir(mode=0o700)
    target = home.with_name("precious")
    target.write_text("precious")
    (home / name).symlink_to(target)
    with pytest.raises(LocalAwsError):
        local_aws.up(port=0)
    assert target.read_text() == "precious"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "null",
        "[" * 5000,
        '{"port": "x", "pid": 1, "token": ""}',
        '{"port": 5577, "pid": 0, "token": ""}',
        '{"port": 5577, "pid": -1, "token": ""}',
        '{"port": 5577, "pid": 1, "token": ""}',
        '{"port": 1e999, "pid": 5, "token": ""}',
    ],
)
def test_a_pid_file_that_is_locked_and_nonsense_ends_nobody(content: str, home: Path) -> None:
    """Numbers up to 1 mean groups of processes, or the first of all."""
    home.mkdir(mode=0o700)
    file = home / "local-aws.json"
    file.write_text(content)
    with file.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert local_aws.status() is None
        assert local_aws.down() is False


def test_one_that_was_killed_is_known_to_be_gone_although_its_number_is_taken(
    home: Path, bystander: subprocess.Popen[bytes]
) -> None:
    running = local_aws.up(port=0)
    os.kill(running.pid, signal.SIGKILL)
    os.waitpid(running.pid, 0)
    file = home / "local-aws.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"pid": bystander.pid}))
    assert local_aws.status() is None
    assert local_aws.down() is False


@pytest.mark.long
def test_one_that_hangs_is_still_stopped(home: Path) -> None:
    running = local_aws.up(port=0)
    os.kill(running.pid, signal.SIGSTOP)
    assert local_aws.down() is True
    assert local_aws.status() is None


TAKEN = (
    "moto",
    "flask",
    "flask_cors",
    "werkzeug",
    "boto3",
    "botocore",
    "provisioner",
    "sitecustomize",
    "json",
)


@pytest.mark.parametrize("path", [None, "", ".", "{here}", ":{here}:"])
@pytest.mark.sampled
def test_modules_that_lie_in_the_working_folder_are_not_imported(
    path: str | None, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    for name in TAKEN:
        (here / f"{name}.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'a').write({name!r})\n")
    monkeypatch.chdir(here)
    if path is not None:
        monkeypatch.setenv("PYTHONPATH", path.format(here=here))
    running: LocalAws = local_aws.up(port=0)
    assert local_aws.control(running, "health")["pid"] == running.pid
    assert not (tmp_path / "imported").exists()


@pytest.mark.long
def test_modules_that_lie_in_the_state_folder_are_not_imported_either(home: Path, tmp_path: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "moto.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w')\n")
    local_aws.up(port=0)
    assert not (tmp_path / "imported").exists()


@pytest.mark.long
def test_nothing_of_the_users_own_configuration_reaches_it(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = tmp_path / "user"
    (user / ".aws" / "models" / "ec2" / "2016-11-15").mkdir(parents=True)
    (user / ".aws" / "config").write_text("nonsense [ no section\n")
    (user / ".aws" / "credentials").write_text("nonsense\n")
    (user / ".aws" / "models" / "ec2" / "2016-11-15" / "service-2.json").write_text("{}")
    monkeypatch.setenv("HOME", str(user))
    for name, value in {
        "AWS_PROFILE": "nobody",
        "AWS_DATA_PATH": str(user),
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "MOTO_ACCOUNT_ID": "000000000000",
        "FLASK_DEBUG": "1",
        "HTTP_PROXY": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    running = local_aws.up(port=0)
    assert local_aws.add_instance(running).startswith("i-")


def test_the_program_imports_nothing_from_the_working_folder_either(tmp_path: Path) -> None:
    for name in ("click", "boto3", "yaml", "pathlib"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')\n")
    command = [sys.executable, "-m", "provisioner", "--version"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert said.startswith("provisioner, version")


def test_whoever_has_no_home_folder_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(number: int) -> None:
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    for name in ("HOME", "PROVISIONER_LOCAL_DIR", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(LocalAwsError, match="no home folder") as caught:
        local_aws.status()
    assert "PROVISIONER_LOCAL_DIR" in (caught.value.hint or "")
