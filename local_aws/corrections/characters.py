"""Characters that no request to EC2 and IAM may have: what XML 1.0 cannot hold, as their answers are XML.

XML 1.0, "Characters" (https://www.w3.org/TR/xml/#charsets); EC2 API Reference, "Error codes":
InvalidCharacter; IAM API Reference, "Common errors": ValidationError. moto keeps them, and its answers
cannot be read then.
"""

from __future__ import annotations

import re
from typing import Any

from local_aws.call import NOT_IN_XML, AwsError, Call


def check_characters(call: Call) -> None:
    """Raises AwsError for a text with a character that XML cannot hold, wherever in the request it is."""
    if call.service == "ssm" or (found := _first(call.params)) is None:
        return
    code = "InvalidCharacter" if call.service == "ec2" else "ValidationError"
    raise AwsError(code, f"The character U+{ord(found[0]):04X} is not valid.")


def _first(value: Any) -> re.Match[str] | None:
    if isinstance(value, str):
        return NOT_IN_XML.search(value)
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        return next((found for item in value if (found := _first(item))), None)
    return None
