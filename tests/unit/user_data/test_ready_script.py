"""The boot hook that tells how user data has ended: run by sh, and read as the program reads it."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from provisioner.kinds.fleet.readiness.console import Result, result_in
from provisioner.kinds.fleet.user_data.parts import script

ID = "i-0123456789abcdef0"
SHELLS = [shell for shell in ("sh", "dash", "bash --posix", "busybox sh") if shutil.which(shell.split()[0])]
RUNPARTS = "('scripts_user', RuntimeError('Runparts: 1 failures (part-001)'))"


class Machine:
    """A file system that the boot hook runs in."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("run/cloud-init", f"var/lib/cloud/instances/{ID}", "proc/sys/kernel/random", "dev"):
            (root / folder).mkdir(parents=True)
        (root / "sys/class/tty/console").mkdir(parents=True)
        (root / "sys/class/tty/console/active").write_text("tty0 ttyS0\n")
        self.hook = root / "hook"
        self.hook.write_bytes(script("ready").removeprefix(b"#cloud-boothook").lstrip())
        self.boots = 0

    def boot(self, errors: list[str], shell: str = "sh", indent: int | None = 1) -> str:
        """What the serial console shows when a boot with these errors has ended."""
        self.boots += 1
        boot = f"{self.boots:08}-0000-4000-8000-000000000000"
        (self.root / "proc/sys/kernel/random/boot_id").write_text(f"{boot}\n")
        result = {"v1": {"datasource": "DataSourceEc2Local", "errors": errors}}
        (self.root / "run/cloud-init/result.json").write_text(json.dumps(result, indent=indent) + "\n")
        env = {"PROVISIONER_ROOT": str(self.root), "PATH": "/usr/local/bin:/usr/bin:/bin"}
        subprocess.run([*shell.split(), str(self.hook), "wait", ID], env=env, check=True, timeout=60)
        assert (self.root / "dev/tty0").read_text() == (self.root / "dev/ttyS0").read_text()
        return (self.root / "dev/ttyS0").read_text()


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("indent", [None, 1, 4])
@pytest.mark.parametrize(
    ("errors", "told"),
    [
        ([], None),
        ([RUNPARTS], "scripts_user"),
        (["a", 'with "quotes" and \n lines'], "with"),
        (["x" * 5000], "xxx"),
        (["\x1b[31mred é €"], "red"),
    ],
)
def test_the_program_reads_what_it_writes(
    tmp_path: Path, shell: str, indent: int | None, errors: list[str], told: str | None
) -> None:
    console = Machine(tmp_path).boot(errors, shell, indent)
    result = result_in(f"ip-10-0-0-1 login: {console}more\n", ID)
    assert result is not None
    assert (result.failed is None) is (told is None)
    assert (told or "") in (result.failed or "")
    assert console.isascii()
    assert len(console) < 500


@pytest.mark.parametrize(("first", "later"), [([], [RUNPARTS]), ([RUNPARTS], [])])
def test_the_first_boot_counts_and_each_boot_tells_of_it(
    tmp_path: Path, first: list[str], later: list[str]
) -> None:
    machine = Machine(tmp_path)
    before = machine.boot(first)
    after = machine.boot(later)
    assert before != after
    assert result_in(before, ID) == result_in(after, ID)
    assert (result_in(after, ID) == Result()) is (not first)


def test_it_waits_until_cloud_init_has_ended(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (tmp_path / "proc/sys/kernel/random/boot_id").write_text(f"{ID}\n")
    env = {"PROVISIONER_ROOT": str(tmp_path), "PATH": "/usr/local/bin:/usr/bin:/bin"}
    env["PROVISIONER_INTERVAL"] = "0.05"
    process = subprocess.Popen(["sh", str(machine.hook), "wait", ID], env=env)
    time.sleep(0.3)
    assert process.poll() is None
    (tmp_path / "run/cloud-init/result.json").write_text('{"v1": {"datasource": "x", "errors": []}}')
    assert process.wait(60) == 0
    assert (tmp_path / "dev/ttyS0").exists()
