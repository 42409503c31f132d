"""What the serial console of a member says of its user data. All of it pure.

The boot hook `ready` (provisioner/kinds/fleet/user_data/scripts/ready.sh) writes one line at the end of each
boot. It begins a line of its own and names the instance and the boot. What user data itself prints comes by
way of cloud-init, with a time and a process before it, so it is not taken for that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from provisioner.kinds.fleet.user_data.forms import unpacked
from provisioner.lazy_dataclass import dataclass
from provisioner.secrecy import HIDDEN

MAX_LINES = 10
MAX_COLUMNS = 200
_LINE_ENDS = re.compile(r"\r\n|\n|\r")
# Colours, movements of the cursor, titles of windows: https://ecma-international.org/publications-and-standards/standards/ecma-48/
_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-Z\\-_])")
# What every boot ends with, and what tells nothing of why user data has failed.
_ALIKE = re.compile(
    r"ci-info: |.*(-----(BEGIN|END) SSH HOST KEY (FINGERPRINTS|KEYS)-----|\bssh-(rsa|ed25519|dss)\b|"
    r"\becdsa-sha2-|SHA256:|Cloud-init v\. .* finished|\blogin: *$)|(<\d+>.*: )?#{10,}$"
)
# What user data calls by a name of secrets. What else has the form of a credential no output shows anyway.
_SECRETS = re.compile(
    r"(?i)(?:pass|secret|token|key|cred|auth|pwd)[\w.-]*[\"']?(?:\s*[:=]\s*|\s+)[\"']?(?P<value>[^\s\"',;]{4,})"
)


@dataclass(frozen=True)
class Result:
    """What became of user data: why it failed, None where it has finished."""

    failed: str | None = None


def result_in(output: str, instance: str) -> Result | None:
    """What the console output of an instance says became of its user data; None: nothing yet."""
    told = re.compile(
        rf"provisioner: {re.escape(instance)} boot [0-9a-f-]{{36}}: user data (finished|failed:(.*))"
    )
    found = [match for text in _LINE_ENDS.split(output) if (match := told.fullmatch(text.rstrip()))]
    if not found:
        return None
    return Result(found[-1][2].strip()) if found[-1][1] != "finished" else Result()


def last_lines(output: str, user_data: bytes) -> tuple[str, ...]:
    """The last lines that may say why user data has failed or hangs, without what it calls a secret.

    Nothing in them moves the cursor, and none is longer than MAX_COLUMNS.
    """
    lines = [text for text in _texts(output) if not _ALIKE.match(text)]
    content = (unpacked(user_data) or user_data).decode(errors="replace")
    secrets = sorted({found["value"] for found in _SECRETS.finditer(content)}, key=len, reverse=True)
    hidden = (_without(text, secrets) for text in lines[-MAX_LINES:])
    return tuple(text if len(text) <= MAX_COLUMNS else f"{text[: MAX_COLUMNS - 3]}..." for text in hidden)


def _without(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text


def _texts(output: str) -> Iterator[str]:
    for text in _LINE_ENDS.split(_ESCAPES.sub("", output)):
        shown = "".join(c if c.isprintable() else " " for c in text.expandtabs(4)).strip()
        if shown and not shown.startswith("provisioner: "):
            yield shown
