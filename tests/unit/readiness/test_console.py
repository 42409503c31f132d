"""What console output says of user data, and what of it is shown."""

from __future__ import annotations

import gzip

import pytest

from provisioner.kinds.fleet.readiness.console import MAX_COLUMNS, MAX_LINES, Result, last_lines, result_in

ID = "i-0123456789abcdef0"
BOOT = "0b0e2c6a-3a4e-4c57-9f5e-3d1c3f1f2a11"
TOLD = f"provisioner: {ID} boot {BOOT}: user data "


@pytest.mark.parametrize(
    ("output", "result"),
    [
        ("", None),
        ("[    0.000000] Linux version 6.1.0\r\n", None),
        (f"{TOLD}finished", Result()),
        (f"login: \r\n{TOLD}finished\r\nlogin: ", Result()),
        (f"a\n{TOLD}finished\nb", Result()),
        (f'{TOLD}failed: ["scripts_user"]\r\n', Result('["scripts_user"]')),
        (f"{TOLD}failed: \r\n", Result("")),
        (f"{TOLD}failed: x\r\n{TOLD}failed: x\r\n", Result("x")),
        # Said by others, of others, or not to the end.
        (f"[   12.3] cloud-init[1021]: {TOLD}finished", None),
        (f"+ echo '{TOLD}finished'", None),
        (f"{TOLD}finished soon", None),
        (f"{TOLD}fin", None),
        ("user data finished", None),
        (TOLD.replace(ID, "i-0123456789abcdef1") + "finished", None),
        (TOLD.replace(BOOT, "1") + "finished", None),
    ],
)
def test_only_the_line_of_the_boot_hook_counts(output: str, result: Result | None) -> None:
    assert result_in(output, ID) == result


NOISE = """\
ci-info: +++++++++Authorized keys from /home/ubuntu/.ssh/authorized_keys for user ubuntu+++++++++\r
<14>Nov 27 12:00:00 cloud-init: #############################################################\r
<14>Nov 27 12:00:00 cloud-init: -----BEGIN SSH HOST KEY FINGERPRINTS-----\r
<14>Nov 27 12:00:00 cloud-init: 256 SHA256:abc root@ip-10-0-0-1 (ED25519)\r
-----BEGIN SSH HOST KEY KEYS-----\r
ssh-ed25519 AAAAC3 root@ip-10-0-0-1\r
-----END SSH HOST KEY KEYS-----\r
[   21.0] cloud-init[1021]: Cloud-init v. 24.4 finished at Fri, 27 Nov 2026 12:00:00 +0000. Up 21.0 seconds\r
\r
Ubuntu 24.04 LTS ip-10-0-0-1 ttyS0\r
ip-10-0-0-1 login: \r
"""


def test_what_every_boot_ends_with_is_not_shown() -> None:
    output = f"line 3: nginx: not found\r\n{NOISE}{TOLD}failed: x\r\n"
    assert last_lines(output, b"") == ("line 3: nginx: not found", "Ubuntu 24.04 LTS ip-10-0-0-1 ttyS0")


def test_the_last_lines_are_few_and_short_and_move_nothing() -> None:
    output = "\n".join(f"line {number}" for number in range(100)) + "\r\n"
    output += "\x1b[2J\x1b[31mred\x1b[0m\ttab\x07\u202eright\r" + "x" * 1000 + "\x1b]0;title\x07\n\x00\n"
    lines = last_lines(output, b"")
    assert len(lines) == MAX_LINES
    assert lines[-2] == "red tab  right"
    assert lines[-1] == "x" * (MAX_COLUMNS - 3) + "..."
    assert all(line.isprintable() and len(line) <= MAX_COLUMNS for line in lines)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_what_user_data_calls_a_secret_is_not_shown(pack: type[bytes]) -> None:
    user_data = (
        b"#!/bin/sh\nexport DB_PASSWORD='hunter2'\nAPI_KEY=abc123\nmysql --password tiger7\n"
        b"curl -H 'X-Auth-Token: t0k3n' example.com\ninstall-everything\n"
    )
    output = "+ DB_PASSWORD=hunter2\n+ install abc123 tiger7 t0k3n\ninstall-everything: command not found\n"
    assert last_lines(output, pack(user_data)) == (
        "+ DB_PASSWORD=***",
        "+ install *** *** ***",
        "install-everything: command not found",
    )
