"""User data with parts of ours beside it: it is sent so that cloud-init runs the user's own unchanged."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from provisioner.kinds.fleet.user_data.composing import MAX_USER_DATA, compose, user_data_in
from provisioner.kinds.fleet.user_data.forms import is_recognised, why_not_beside

RUNNER = Path(__file__).parents[2] / "support" / "run_cloud_init.py"
OURS = {
    "provisioner-one": b'#cloud-boothook\n#!/bin/sh\necho one >>"$HOME_OF_TEST/order"\n',
    "provisioner-two": b'#cloud-boothook\n#!/bin/sh\necho two >>"$HOME_OF_TEST/order"\n',
}

MULTIPART = b"""\
Content-Type: multipart/mixed; boundary="//"
MIME-Version: 1.0

--//
Content-Type: text/cloud-config; charset="us-ascii"
MIME-Version: 1.0
Content-Transfer-Encoding: 7bit
Content-Disposition: attachment; filename="cloud-config.txt"
Merge-Type: list(append)+dict(recurse_array)+str()

#cloud-config
runcmd: [first]
--//
Content-Type: text/cloud-config
Merge-Type: list(append)+dict(recurse_array)+str()

#cloud-config
runcmd: [second]

--//
Content-Type: multipart/mixed; boundary="inner"

--inner
Content-Type: text/x-shellscript; charset="utf-8"
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename="inner.sh"

IyEvYmluL3NoCmVjaG8gaW5uZXIK
--inner
Content-Type: text/x-shellscript

#!/bin/sh
echo unnamed
--inner--
--//
Content-Type: text/plain
Launch-Index: 3

#!/bin/sh
echo for the fourth
--//--
"""
HANDLER = b"""\
#part-handler
def list_types():
    return ["text/x-own"]
def handle_part(data, ctype, filename, payload):
    pass
"""
ARCHIVE = b"""\
#cloud-config-archive
- type: text/cloud-config
  filename: a.txt
  content: |
    #cloud-config
    runcmd: [one]
- "#!/bin/sh\\necho two\\n"
"""

# What people write, by what it is.
FORMS: dict[str, bytes] = {
    "shell": b"#!/bin/bash\nset -eu\necho hello > /tmp/hello\n",
    "shell without an end of line": b"#!/bin/sh\necho hello",
    "shell with many ends of lines": b"\n\n#!/bin/sh\necho hello\n\n\n",
    "shell with umlauts": "#!/bin/sh\necho 'Größe €'\n".encode(),
    "shell with returns": b"#!/bin/sh\r\necho hello\r\n",
    "shell with control characters": b"#!/bin/sh\nprintf '\x1b[1m\x0c\x0b'\n",
    "shell that writes MIME": b"#!/bin/sh\ncat <<E\nMIME-Version: 1.0\n\n--provisioner.part.1\nE\n",
    "shell with our boundary": b"#!/bin/sh\necho\n--provisioner.part.1--\n--provisioner.part.2\n",
    "shell of 15 KB": b"#!/bin/sh\n" + b"".join(b"echo line %d\n" % n for n in range(1150)),
    "python": b"#!/usr/bin/python3\nprint('From here')\nFrom here\n",
    "no shebang": b"yum update -y\n",
    "looks like headers": b"Subject: hello\n\nworld\n",
    "cloud-config": b"#cloud-config\npackages: [nginx]\nruncmd:\n  - [echo, hello]\n",
    "cloud-config with umlauts": "#cloud-config\nruncmd: [echo Größe]\n".encode(),
    "cloud-config with spaces before": b"  \n#cloud-config\nruncmd: [hello]\n",
    "jsonp": b'#cloud-config-jsonp\n[{"op": "add", "path": "/runcmd", "value": ["a"]}]\n',
    "boothook": b'#cloud-boothook\n#!/bin/sh\necho "theirs $INSTANCE_ID" >>"$HOME_OF_TEST/order"\n',
    "jinja": b"## template: jinja\n#!/bin/sh\necho {{ v1.region }}\n",
    "part-handler": HANDLER,
    "archive": ARCHIVE,
    "multipart": MULTIPART,
    "multipart with returns": MULTIPART.replace(b"\n", b"\r\n"),
    "multipart without its end": MULTIPART.removesuffix(b"--//--\n"),
    "multipart with umlauts": MULTIPART.replace(b"fourth", "Größe".encode()),
    "multipart as an mbox has it": b"From nobody Fri Nov 27 12:00:00 2026\n" + MULTIPART,
    "multipart in our form": compose(
        b"#!/bin/sh\necho nested\n", {"provisioner-three": b"#cloud-boothook\n#!/bin/sh\n"}
    ),
    "MIME of one part": b"MIME-Version: 1.0\nContent-Type: text/cloud-config\n\n#cloud-config\nruncmd: [x]\n",
    "MIME of one encoded part": b"Content-Type: text/x-shellscript\nMIME-Version: 1.0\n"
    b"Content-Transfer-Encoding: base64\n\nIyEvYmluL3NoCmVjaG8gaW5uZXIK\n",
    "cloud-config that mentions MIME": b"#cloud-config\n# mime-version: none\nruncmd: [x]\n",
    "binary": bytes(range(256)),
    "script with a binary behind it": b"#!/bin/sh\nexit 0\n" + bytes(range(256)),
    "one character": b"x",
    "ends of lines": b"\n\n",
}


def pack(content: bytes) -> bytes:
    """The same at any time: what is tried is part of the names of tests."""
    return gzip.compress(content, mtime=1)


PACKED = {f"{name}, packed": pack(content) for name, content in FORMS.items()}
PACKED["packed with a name"] = b"\x1f\x8b\x08\x08\0\0\0\0\0\x03name\0" + pack(b"#!/bin/sh\n")[10:]
PACKED["packed twice"] = pack(pack(b"#!/bin/sh\n"))
PACKED["packed in two pieces"] = pack(b"#!/bin/sh\n") + pack(b"echo hello\n")
PACKED["packed and filled up"] = pack(b"#!/bin/sh\n") + b"\0" * 100
PACKED["packed and broken"] = pack(FORMS["shell"])[:-9]
PACKED["packed with rubbish behind"] = pack(FORMS["shell"]) + b"rubbish"
ALL = FORMS | PACKED


@pytest.mark.parametrize("name", ALL)
def test_what_was_composed_is_taken_apart_again(name: str) -> None:
    for parts in (OURS, dict([*OURS.items()][:1])):
        sent = compose(ALL[name], parts)
        assert sent != ALL[name]
        assert user_data_in(sent) == ALL[name]
        assert sent == compose(ALL[name], parts)


def test_without_user_data_there_are_only_our_parts() -> None:
    assert user_data_in(compose(b"", OURS)) == b""
    assert compose(b"", {}) == b""


@pytest.mark.parametrize("name", ALL)
def test_without_parts_it_is_sent_as_it_is(name: str) -> None:
    """But for what looks as if it were composed, which would be taken apart when it is read again."""
    sent = compose(ALL[name], {})
    assert user_data_in(sent) == ALL[name]
    assert (sent == ALL[name]) is ("in our form" not in name)


@given(content=st.binary(max_size=400) | st.text(max_size=200).map(str.encode), packed=st.booleans())
@example(content=b"MIME-Version: 1.0\n", packed=True)
@example(content=b"\n--provisioner.part.1--\n", packed=False)
def test_any_bytes_are_found_again(content: bytes, packed: bool) -> None:
    content = pack(content) if packed else content
    assert user_data_in(compose(content, OURS)) == content


def test_what_others_have_changed_is_told_as_it_is() -> None:
    sent = compose(FORMS["shell"], OURS)
    for other in (sent.replace(b"hello", b"hell"), sent[:-5], sent + b"x", b"", b"\x1f\x8bx", sent[:200]):
        assert user_data_in(other) != FORMS["shell"] or other.startswith(sent)


def test_large_user_data_is_packed_so_that_it_fits() -> None:
    large = ALL["shell of 15 KB"] + b"#" * 200
    assert len(large) < MAX_USER_DATA < len(large) + sum(map(len, OURS.values())) + 600
    assert len(compose(large, OURS)) < MAX_USER_DATA


@pytest.mark.parametrize(
    ("user_data", "why"),
    [
        (b"<powershell>\nGet-Date\n</powershell>\n", "Windows"),
        (b"<script>\r\ndir\r\n</script>\r\n<persist>true</persist>", "Windows"),
        (b"<PowerShell>x</PowerShell>", "Windows"),
        (b"version: 1.0\ntasks:\n- task: executeScript\n", "Windows"),
        (pack(b"<powershell>\n"), "Windows"),
        (b'{"ignition": {"version": "3.4.0"}}', "Ignition"),
        (b"[settings.kubernetes]\ncluster-name = 'x'\n", "Bottlerocket"),
        (b"MIME-Version: 1.0\nContent-Type: text/plain\n\n\xff", "not UTF-8"),
        (b"#!/bin/sh\ncat <<E\n<script>alert()</script>\nE\n", None),
        (b"#cloud-config\nwrite_files: [{content: '<powershell>'}]\n", None),
        *((content, None) for content in ALL.values()),
        (b"", None),
    ],
)
def test_what_cannot_have_a_part_beside_it(user_data: bytes, why: str | None) -> None:
    told = why_not_beside(user_data)
    assert (told is None) is (why is None)
    assert (why or "") in (told or "")


@pytest.mark.parametrize("name", FORMS)
def test_what_cloud_init_ignores_is_known(name: str) -> None:
    ignored = {"no shebang", "looks like headers", "binary", "one character", "ends of lines"}
    assert is_recognised(FORMS[name]) is (name not in ignored)


# --- cloud-init itself ---------------------------------------------------------------------------------


@cache
def python_with_cloud_init() -> str | None:
    """A Python that has cloud-init: that of the system, where the distribution's package is installed."""
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            subprocess.run([python, "-c", "import cloudinit.user_data"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return python
    return None


@pytest.fixture(scope="module")
def by_cloud_init(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What cloud-init makes of each form, alone and composed."""
    python = python_with_cloud_init()
    if python is None:
        pytest.skip("cloud-init is not installed: apt-get install --no-install-recommends cloud-init")
    folder = tmp_path_factory.mktemp("cloud-init")
    included = folder / "included"
    included.write_bytes(b"#!/bin/sh\necho included\n")
    forms = ALL | includes(included)
    for number, content in enumerate(forms.values()):
        (folder / f"{number:03}-alone.in").write_bytes(content)
        (folder / f"{number:03}-sent.in").write_bytes(compose(content, OURS))
    done = subprocess.run([python, str(RUNNER), str(folder)], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return {
        name: {"alone": found[f"{number:03}-alone.in"], "sent": found[f"{number:03}-sent.in"]}
        for number, name in enumerate(forms)
    }


def includes(included: Path) -> dict[str, bytes]:
    url = included.as_uri().encode()
    forms = {"include": b"#include\n" + url + b"\n", "include-once": b"#include-once\n%s\n%s\n" % (url, url)}
    return forms | {f"{name}, packed": pack(content) for name, content in forms.items()}


@pytest.mark.parametrize("name", [*ALL, *includes(Path("/x"))])
def test_cloud_init_runs_the_users_own_unchanged(name: str, by_cloud_init: dict[str, dict[str, Any]]) -> None:
    """The same parts with the same headers in the same order, and the same files; ours come first."""
    alone, sent = by_cloud_init[name]["alone"], by_cloud_init[name]["sent"]
    ours = sent["parts"][: len(OURS)]
    assert [(kind, name) for kind, name, _, _ in ours] == [("text/cloud-boothook", name) for name in OURS]
    theirs = sent["parts"][len(OURS) :]
    assert [*map(without_name, theirs)] == [*map(without_name, alone["parts"])]
    mine = {f"instance/boothooks/{part}" for part in OURS}
    written = {path: text for path, text in sent["written"].items() if path not in mine}
    order = base64.b64decode(written.pop("order", "")).decode().split("\n")
    before = base64.b64decode(alone["written"].pop("order", "")).decode().split("\n")
    assert order[:2] == ["one", "two"]
    assert order[2:] == before
    if "without its end" in name:
        # How the last part of a message without an end ends, each version of Python's parser says otherwise.
        return
    if any(word in name for word in ("multipart", "MIME", "archive", "include")):
        # Parts without a name are numbered, ours as well.
        assert sorted(map(without_names, written.items())) == sorted(
            map(without_names, alone["written"].items())
        )
    else:
        assert written == alone["written"]


def without_name(part: list[Any]) -> tuple[str, bytes, dict[str, str]]:
    kind, _, text, kept = part
    return kind, base64.b64decode(text).rstrip(b"\n"), kept


def without_names(item: tuple[str, str]) -> tuple[str, str]:
    path, text = item
    content = base64.b64decode(text)
    kept = b"\n".join(
        line for line in content.split(b"\n") if not line.startswith((b"# part-", b"# provisioner"))
    )
    return str(Path(path).parent), kept.decode("latin-1")
