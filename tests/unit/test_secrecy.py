"""What has the form of a credential, and how long it takes to look for it."""

from __future__ import annotations

import pytest

from provisioner.secrecy import without_credentials

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"

FORMS = {
    "https://me:hunter2@x.example/a": "https://***@x.example/a",
    "a git+ssh://hunter2@x": "a git+ssh://***@x",
    "HTTPS://me:hunter2@x://you:hunter3@y": "HTTPS://***@x://***@y",
    "http://x.example/a@b": "http://x.example/a@b",
    "://me@x": "://me@x",
    TOKEN: "***",
    f"jwt-{TOKEN}, {TOKEN};{TOKEN}": "jwt-***, ***;***",
    f"a.{TOKEN}.b": "a.***.b",
    "eyJhbGci.eyJzdWIi.": "eyJhbGci.eyJzdWIi.",
    "eyJhbGciOiJI.eyJ.": "eyJhbGciOiJI.eyJ.",
}


@pytest.mark.parametrize("text", FORMS)
def test_what_has_the_form_of_a_credential(text: str) -> None:
    assert without_credentials(text) == FORMS[text]


MEBIBYTE = 2**20
LONG = {
    "what could be a scheme": "a." * (MEBIBYTE // 2) + " ://",
    "schemes": "a://" * (MEBIBYTE // 4),
    "what could be a user": "a://" + "b@" * (MEBIBYTE // 2) + "/",
    "beginnings of tokens": "-eyJ" * (MEBIBYTE // 4),
    "beginnings of tokens before a dot": "-eyJ" * (MEBIBYTE // 4) + ".a.",
    "short words of tokens": "eyJa." * (MEBIBYTE // 5),
    "first parts of tokens": "eyJaaaaaaaa.bbb." * (MEBIBYTE // 16),
    "one word and a token's end": "-" * MEBIBYTE + "eyJ.aaaa.b",
    "spaces after a scheme of HTTP": "basic" + " " * MEBIBYTE,
    "backslashes": "access_token" + "\\" * MEBIBYTE,
    "names": "access_token " * (MEBIBYTE // 13),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("what", LONG)
@pytest.mark.sampled
def test_a_long_line_takes_no_minutes(what: str) -> None:
    """Each of those that took quadratic time took hours with a mebibyte."""
    without_credentials(LONG[what])
