"""What looks like a key or a password in a spec, or in a file that it names.

User data, tags and policies are no place for one: whoever may describe an instance or a role reads them, and
so does whoever may read the repository.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html

Named forms, and no measure of randomness: digests, commits and ids are as random as keys, and a warning that
is wrong most of the time is not read. What is told is the place and the sort, and never the text.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

from provisioner.errors import Problem

MAX_SUSPECTS = 50
# Of a file, so that nobody waits for it: user data has at most 16 KiB, a policy 10.
MAX_CHARACTERS = 512 * 1024
# As detect-secrets has it: https://github.com/Yelp/detect-secrets#inline-allowlisting
ALLOWED = "pragma: allowlist secret"
HINT = "whoever may describe it or read this file has it: use Secrets Manager or a SecureString parameter"

_LINE_END = re.compile(r"\r\n|\n|\r")
# A value that is taken from elsewhere, or stands for one: $NAME, $(...), {{ name }}, <password>, %s, ***.
_FROM_ELSEWHERE = re.compile(r"[$<{%*`(!]")
_PLACEHOLDERS = re.compile(
    r"(?i)(change-?_?me|changeit|example|secret|password|passwd|placeholder|redacted|dummy|none|null|true|false|"
    r"required|optional|disabled?|enabled?|allowed|denied|forbidden|random|manual|prompt|stdin|file|env|x+|\.+)"
    r"[\d!]*"
)
_NO_VALUES = (
    "/",
    "./",
    "~",
    "arn:",
    "file:",
    "ssm:",
    "vault:",
    "https://",
    "http://",
    "ENC[",
    "@",
    "--",
    "\\",
)
# A part of a name such as prod-db-2a: secrets have digits in the midst of letters, or are one long part.
_NAME_PART = re.compile(r"[A-Za-z]{0,15}\d{0,4}[a-z]?")
_ONE_PART = re.compile(r"(?=.*\d)(?=.*[A-Za-z]).{10,}|[A-Za-z]{20,}")
# In quotes, or up to the next space. After a colon a text without quotes goes on to the end of the line.
_VALUE = r"""(?P<quote>["'])?(?P<value>(?(quote)[^"'\n]{6,}|[^\s"',;&|)}\]\\]{6,}))"""
_SAID = rf"""["']?\s*(?:=|(?P<colon>:))\s*{_VALUE}(?(quote)|(?(colon)(?=\s*(?:[#,}}\]]|$))|))"""
# What a command is given, also as items of a YAML list: [curl, -u, "user:password"].
_GIVEN = r"""[\s,"'=]{1,4}"""
_WORD = r"""(?P<value>[^\s"',;&|)}\]\\]{4,})"""
_REST = r"[^\n|;]{0,200}?"


def _is_opaque(value: str) -> bool:
    """Whether a text is more likely a key than the name of one, a word, or an expression that gets it."""
    if re.search(r"[\s(\[{]|EXAMPLE", value):
        return False
    parts = [part for part in re.split(r"[-_/.:+=]", value) if part]
    if len(parts) == 1:
        return _ONE_PART.fullmatch(parts[0]) is not None
    return any(re.search(r"\d", part) and not _NAME_PART.fullmatch(part) for part in parts)


def _has_digit(value: str) -> bool:
    return any(character.isdigit() for character in value)


def _always(value: str) -> bool:
    return True


class Form(NamedTuple):
    """A sort of secret: one of `signs` is in the line in small letters, `pattern` finds it and `fits` it."""

    what: str
    signs: tuple[str, ...]
    pattern: str
    fits: Callable[[str], bool] = _always


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Most specs have none of the signs, and to compile all the patterns takes longer than to read a spec."""
    return re.compile(pattern)


def _form(what: str, signs: str, pattern: str, fits: Callable[[str], bool] = _always) -> Form:
    return Form(what, tuple(signs.split()), pattern, fits)


# A line of chpasswd's input, below the word: a here-document, or `list` of cloud-init's module.
# https://cloudinit.readthedocs.io/en/latest/reference/modules.html#set-passwords
CHPASSWD = _form("a password", ":", r"""^\s*(?:-\s+)?["']?[\w.-]{1,64}:(?P<value>[^\s"':]{4,})["']?\s*$""")
CHPASSWD_LINES = 20


FORMS = (
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
    _form("an AWS access key id", "akia asia", r"\b(?:AKIA|ASIA)(?![A-Z2-7]{9}EXAMPLE)[A-Z2-7]{16}\b"),
    _form(
        "an AWS secret access key",
        "secret",
        r"(?i)secret_?(?:access_?)?key[\"']?\s*[:=]\s*[\"']?(?![\w/+]*EXAMPLE)[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])",
    ),
    _form("a private key", "private", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    _form("a private key", "age-secret-key", r"\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b"),
    _form("a token of GitHub", "gh github_pat", r"\b(?:gh[oprsu]_[A-Za-z0-9]{36,}|github_pat_\w{22,})\b"),
    _form("a token of GitLab", "glpat- gldt- glrt-", r"\bgl(?:pat|dt|rt)-[\w-]{20,}"),
    _form("a token of Slack", "xox xapp", r"\b(?:xox[abeprs]|xapp)-[\w-]{10,}"),
    _form("a webhook of Slack", "hooks.slack", r"hooks\.slack\.com/services/T\w{1,20}/B\w{1,20}/\w{16,}"),
    _form("a key of Stripe", "k_live_", r"\b[rs]k_live_[A-Za-z0-9]{16,}"),
    _form("a key of Google", "aiza", r"\bAIza[\w-]{35}(?![\w-])"),
    _form("a token of npm", "npm_", r"\bnpm_[A-Za-z0-9]{36}\b"),
    _form("a token of PyPI", "pypi-", r"\bpypi-AgE[\w-]{40,}"),
    _form("a token of Docker", "dckr_pat_", r"\bdckr_pat_[\w-]{20,}"),
    _form("a token of Vault", "hvs. hvb.", r"\bhv[sb]\.[\w-]{24,}"),
    _form("a key of SendGrid", "sg.", r"\bSG\.[\w-]{22}\.[\w-]{43}"),
    _form("a token of Hugging Face", "hf_", r"\bhf_[A-Za-z0-9]{34}\b"),
    _form("a key of OpenAI or Anthropic", "sk-", r"\bsk-(?:proj-|ant-|svcacct-)[\w-]{32,}"),
    _form("a JSON Web Token", "eyj", r"\beyJ[\w-]{8,500}\.eyJ[\w-]{8,2000}\.[\w-]{16,}"),
    _form(
        "a password's hash",
        "$1$ $2 $5$ $6$ $y$",
        r"\$(?:[156y]|2[aby])\$(?:rounds=\d+\$|\d\d\$|[\w./]+\$)?[\w./$]{22,}",
    ),
    _form(
        "a password in an address",
        "://",
        r"\b[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s:/@\"'$<{\[]{0,100}:(?P<value>[^\s/@\"'?#\]]{3,200})@",
    ),
    _form(
        "a password",
        "chpasswd",
        r"""echo\s+(?:-e\s+)?["']?[\w-]+:(?P<value>[^\s"'|]{4,})["']?\s*\|\s*(?:sudo\s+)?chpasswd""",
    ),
    _form("a password", "--password", rf"--password(?:=|\s+){_VALUE}"),
    _form(
        "a password",
        "password passwd passphrase",
        r"(?i)(?<![:$/\w.-])[\"']?(?!(?:reset|forgot|change|rotate)[_-])[\w.-]{0,80}?"
        rf"(?:password|passwd|passphrase){_SAID}",
    ),
    _form("a password", "pass pwd", rf"(?<![:$/\w.-])[\"']?(?:\w{{0,80}}_)?(?:PASS|PWD){_SAID}"),
    _form(
        "a password",
        "pass pwd",
        rf"(?i)(?<![:$/\w.-])[\"']?(?:[\w.-]{{0,80}}[_.-]|db)?(?:pass|pwd){_SAID}",
        _has_digit,
    ),
    _form("a password", "chpasswd", rf"""chpasswd:.{{0,80}}?list:[\s\["'-]{{0,8}}[\w.-]{{1,64}}:{_WORD}"""),
    # https://learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_variables
    _form(
        "a password",
        "$",
        r"(?i)\$(?:\w{1,20}:)?\w{0,80}?(?:pass|pwd|password|passwd|passphrase|secret|token|api_?key)\s*=\s*"
        r"""(?P<quote>["'])(?P<value>[^"'\n]{6,})(?P=quote)""",
    ),
    _form(
        "a password",
        "convertto-securestring",
        r"""(?i)convertto-securestring\s+(?:-\w{1,20}\s+){0,3}["'](?P<value>[^"'\n]{4,})["']""",
    ),
    _form(
        "a password", "mysql mariadb", rf"\b(?:mysql|mariadb)[\w-]{{0,12}}\b{_REST}[\s,\"']-p[\"']?{_WORD}"
    ),
    _form("a password", "redis-cli", rf"\bredis-cli\b{_REST}[\s,\"']-a{_GIVEN}{_WORD}"),
    _form("a password", "requirepass", rf"\brequirepass\s{{1,4}}[\"']?{_WORD}", _has_digit),
    _form("a password", "sshpass", rf"\bsshpass{_GIVEN}-p[\s,\"']{{0,4}}{_WORD}"),
    _form(
        "a password",
        "login",
        rf"\b(?:docker|podman|nerdctl|buildah|skopeo|oras|helm|az)\b{_REST}\blogin\b{_REST}[\s,\"']-p{_GIVEN}{_WORD}",
    ),
    _form(
        "a password",
        "curl",
        rf"\bcurl\b{_REST}[\s,\"'](?:-[A-Za-z]{{0,8}}[uU]|--(?:proxy-)?user)[\s,\"'=]{{0,4}}[^\s:\"'$,/]{{1,80}}:{_WORD}",
    ),
    _form(
        "a password",
        "user",
        r"""(?i)\bnet1?(?:\.exe)?\s+user\s+["']?[\w.-]{1,64}["']?\s+["']?(?=\S{0,127}\d|\S{1,127}\s+/add)"""
        r"""(?P<value>[^\s"'/]{4,127})""",
    ),
    _form(
        "a key or token",
        "authorization",
        r"(?i)authorization[\"']?\s{0,4}[:=]\s{0,4}[\"']?(?:bearer|basic|token|apikey)\s{1,4}(?P<value>[\w+/=.~-]{8,})",
    ),
    _form(
        "a key or token",
        "x-",
        r"(?i)\bx-[\w-]{0,40}(?:token|key|secret)[\"']?:\s{0,4}[\"']?(?P<value>[^\s\"',}]{8,})",
        _is_opaque,
    ),
    _form(
        "a key or token",
        "--",
        rf"(?i)(?<!\S)--[\w-]{{0,40}}?(?:token|secret|api-?key|secret-?key|auth-?key)(?:=|\s+){_VALUE}",
        _is_opaque,
    ),
    _form(
        "a key or token",
        "secret token key",
        r"(?i)(?<![:$/\w.-])[\"']?(?:\w[\w.-]{0,80}[_.-])?(?:client_?secret|app_?secret|secret_?key|api_?key|"
        rf"(?:auth|access|api|bearer|refresh)_?token|encryption_?key){_SAID}",
    ),
    _form(
        "a key or token",
        "secret token auth key credential",
        r"(?i)(?<![:$/\w.-])[\"']?[\w.-]{0,80}?(?:secret|token|(?<!o)auth|credentials?|"
        rf"(?:account|access|signing|private|master)_?key){_SAID}",
        _is_opaque,
    ),
)


def suspects(file: str, text: str) -> Iterator[Problem]:
    """What in a file looks like a secret: each place once, by the first form that fits."""
    text = text[:MAX_CHARACTERS]
    # Most texts have none of the signs, and cost one look.
    everything = text.lower()
    possible = [form for form in FORMS if any(sign in everything for sign in form.signs)]
    below_chpasswd = 0
    for number, line in enumerate(_LINE_END.split(text) if possible else (), start=1):
        lower = line.lower()
        if ALLOWED in lower:
            continue
        for start, what in _places(line, lower, [CHPASSWD, *possible] if below_chpasswd else possible):
            yield Problem(file, number, start + 1, "", f"this looks like {what}", HINT)
        below_chpasswd = CHPASSWD_LINES if "chpasswd" in lower else max(0, below_chpasswd - 1)


def _places(line: str, lower: str, forms: list[Form]) -> Iterator[tuple[int, str]]:
    """Where secrets begin in a line, and what each is."""
    # In order and apart from each other, so only those beside a new one can overlap it.
    places: list[tuple[int, int]] = []
    for form in forms:
        if not any(sign in lower for sign in form.signs):
            continue
        for match in _compiled(form.pattern).finditer(line):
            start, end = match.span("value" if "value" in match.groupdict() else 0)
            at = bisect_left(places, (start, end))
            beside = places[max(0, at - 1) : at + 1]
            is_new = all(end <= begun or start >= ended for begun, ended in beside)
            if is_new and not _is_no_secret(line[start:end], form):
                places.insert(at, (start, end))
                yield start, form.what


def _is_no_secret(value: str, form: Form) -> bool:
    """Whether a value is taken from elsewhere, stands for one, or is the name of a file or a secret."""
    if "value" not in _compiled(form.pattern).groupindex:
        return False
    value = value.strip()
    return (
        _FROM_ELSEWHERE.search(value[:2]) is not None
        or "${" in value
        or "$(" in value
        or "{{" in value
        or value.startswith(_NO_VALUES)
        or _PLACEHOLDERS.fullmatch(value) is not None
        or len(set(value)) < 4
        or not form.fits(value)
    )
