"""Filters of what moto describes itself (subnets, security groups, volumes): wildcards that can be escaped.

EC2 User Guide, "List and filter using the CLI and API": `*` and `?` are wildcards unless a backslash is
before them, and nothing else is special. moto matches as a shell does, with classes of letters.
"""

from __future__ import annotations

import fnmatch
from types import SimpleNamespace

from moto.ec2 import utils

from local_aws.corrections.filters import as_regex, matches_any


def install() -> None:
    """Replaces how moto matches; once per process, and not where plain moto is asked for."""
    utils.fnmatch = SimpleNamespace(
        fnmatch=lambda text, pattern: matches_any(text, [pattern]), translate=fnmatch.translate
    )
    utils.simple_aws_filter_to_re = lambda text: rf"(?s:{as_regex(text)})\Z"
