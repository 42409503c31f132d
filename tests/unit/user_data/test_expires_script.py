"""The boot hook that ends an instance at its time, run with a metadata service and a shutdown of ours."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from provisioner.kinds.fleet.user_data.parts import script

SHELLS = [shell for shell in ("sh", "dash", "bash --posix", "busybox sh") if shutil.which(shell.split()[0])]
# What the script uses; with curl, or where there is none, with Python.
TOOLS = ("date", "expr", "sleep", "env", "setsid", "nohup")
# What a tag may have, or not be there (None), without an end having come.
NO_END = (None, "", "never", "0", "1999", "2001-01-01", "*", "2001-01-01T00:00:00+00:00", "$(shutdown)")


class Imds(ThreadingHTTPServer):
    """An IMDSv2: a tag is only told to those who have a token. `tag` None: tags are not shown."""

    tag: str | None = None
    keys: str | None = "Name\nprovisioner:expires\nprovisioner:keeper"
    asked = 0
    block_on_close = False


class _Answers(BaseHTTPRequestHandler):
    server: Imds

    def do_PUT(self) -> None:
        ttl = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
        self._say(200 if self.path == "/latest/api/token" and ttl else 404, "a-token")

    def do_GET(self) -> None:
        self.server.asked += 1
        if self.headers.get("X-aws-ec2-metadata-token") != "a-token":
            self._say(401, "")
        elif self.path == "/latest/meta-data/tags/instance/" and self.server.keys:
            self._say(200, self.server.keys)
        elif self.path != "/latest/meta-data/tags/instance/provisioner:expires" or self.server.tag is None:
            self._say(404, "<html>not found</html>")
        else:
            self._say(200, self.server.tag)

    def _say(self, status: int, text: str) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


class Machine:
    """A machine on which the boot hook runs."""

    def __init__(self, imds: Imds, folder: Path, shell: str, has_curl: bool) -> None:
        self.imds = imds
        self.shut_down = folder / "shut-down"
        hook = folder / "hook"
        # As cloud-init writes it.
        hook.write_bytes(script("expires").removeprefix(b"#cloud-boothook").lstrip())
        tools = folder / "bin"
        tools.mkdir()
        for name in (*TOOLS, *(("curl",) if has_curl else ("python3",))):
            (tools / name).symlink_to(path_of(name))
        (tools / "shutdown").write_text(f'#!/bin/sh\necho "$@" >>{self.shut_down}\n')
        (tools / "shutdown").chmod(0o755)
        url = f"http://127.0.0.1:{imds.server_address[1]}"
        env = {"PATH": str(tools), "PROVISIONER_IMDS": url, "PROVISIONER_INTERVAL": "0.05"}
        command = [shutil.which(shell.split()[0]) or shell, *shell.split()[1:], str(hook), "watch"]
        self.process = subprocess.Popen(command, env=env, start_new_session=True, stderr=subprocess.DEVNULL)

    def end(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def imds() -> Iterator[Imds]:
    server = Imds(("127.0.0.1", 0), _Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def path_of(tool: str) -> str:
    return sys.executable if tool == "python3" else shutil.which(tool) or "/nowhere"


def until(what: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def utc(**later: float) -> str:
    return f"{datetime.now(UTC) + timedelta(**later):%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.parametrize(("shell", "has_curl"), [*((shell, True) for shell in SHELLS), ("sh", False)])
@pytest.mark.sampled
def test_it_shuts_down_when_the_time_of_its_tag_has_passed(
    imds: Imds, tmp_path: Path, shell: str, has_curl: bool
) -> None:
    """Not before, not for what is no time, and again as long as the machine is still there."""
    if has_curl and not shutil.which("curl"):
        pytest.skip("there is no curl")
    imds.tag = utc(hours=1)
    machine = Machine(imds, tmp_path, shell, has_curl)
    try:
        for tag in (
            utc(hours=1),
            None,
            "",
            "never",
            "0",
            "1999",
            "2001-01-01",
            f"{utc(hours=-1)} or so",
            "*",
        ):
            imds.tag, imds.asked = tag, 0
            # Once where each question is a process of Python: what it makes of the answer is the same.
            until(lambda: imds.asked >= (3 if has_curl else 1))
            assert not machine.shut_down.exists(), tag
        imds.tag = utc(seconds=-1)
        until(lambda: machine.shut_down.exists() and len(machine.shut_down.read_text().splitlines()) >= 2)
        assert machine.shut_down.read_text().startswith("-h now")
    finally:
        machine.end()


@pytest.mark.parametrize(
    "keys", ["provisioner:expires\nprovisioner:keep", "provisioner:keep\nprovisioner:expires", None]
)
def test_what_is_kept_stays_and_so_does_what_cannot_tell(
    imds: Imds, tmp_path: Path, keys: str | None
) -> None:
    """While the tag `provisioner:keep` is there, or the keys of its tags cannot be read."""
    imds.tag, imds.keys = utc(seconds=-1), keys
    machine = Machine(imds, tmp_path, "sh", has_curl=bool(shutil.which("curl")))
    try:
        until(lambda: imds.asked >= 6)
        assert not machine.shut_down.exists()
        imds.keys = "Name\nprovisioner:expires"
        until(machine.shut_down.exists)
    finally:
        machine.end()


def test_it_waits_for_a_metadata_service_that_does_not_answer(imds: Imds, tmp_path: Path) -> None:
    imds.tag = utc(seconds=-1)
    imds.shutdown()
    imds.socket.close()
    machine = Machine(imds, tmp_path, "sh", has_curl=bool(shutil.which("curl")))
    try:
        time.sleep(0.5)
        assert machine.process.poll() is None
        assert not machine.shut_down.exists()
    finally:
        machine.end()


def test_at_boot_it_goes_into_the_background_at_once(imds: Imds, tmp_path: Path) -> None:
    """Where there is no systemd; cloud-init waits for a boot hook to end."""
    imds.tag = None
    hook = tmp_path / "hook"
    hook.write_bytes(script("expires").removeprefix(b"#cloud-boothook").lstrip())
    hook.chmod(0o700)
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    # Ends by itself: its machine is gone.
    for name in ("date", "expr", "setsid", "curl", "python3"):
        (bin_ / name).symlink_to(path_of(name))
    (bin_ / "sleep").write_text("#!/bin/sh\nkill -9 $PPID\n")
    (bin_ / "sleep").chmod(0o755)
    env = {"PATH": str(bin_), "PROVISIONER_IMDS": f"http://127.0.0.1:{imds.server_address[1]}"}
    subprocess.run([str(hook)], env=env, check=True, timeout=60)
    until(lambda: imds.asked)
