"""Pages of 5 to 1000 rows.

EC2 API Reference, DescribeInstances: MaxResults, NextToken, and that MaxResults does not go with instance
ids. moto pages by reservation.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, TypeVar

from local_aws.call import AwsError

Row = TypeVar("Row")
LEAST, MOST = 5, 1000


def page(
    rows: list[Row], params: dict[str, Any], ids_given: bool, least: int = LEAST
) -> tuple[list[Row], str | None]:
    """The page that MaxResults and NextToken ask for, and the token of the next one, if there is one.

    Raises InvalidParameterValue for a size below `least`, InvalidParameterCombination for ids beside it, and
    InvalidNextToken. A size above 1000 counts as 1000; without a size everything is one page.
    """
    size = params.get("MaxResults")
    token = params.get("NextToken")
    if size is None and not token:
        return rows, None
    if ids_given:
        text = "The parameter instancesSet cannot be used with the parameter maxResults"
        raise AwsError("InvalidParameterCombination", text)
    if size is not None and int(size) < least:
        text = (
            f"Value ( {size} ) for parameter maxResults is invalid. Expecting a value greater than {least}."
        )
        raise AwsError("InvalidParameterValue", text)
    start = _start(token) if token else 0
    end = start + min(int(size or MOST), MOST)
    return rows[start:end], _token(end) if end < len(rows) else None


def _token(start: int) -> str:
    return base64.urlsafe_b64encode(f"page:{start}".encode()).decode()


def _start(token: str) -> int:
    try:
        word, _, number = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
        if word == "page":
            return int(number)
    except (ValueError, binascii.Error):
        pass
    raise AwsError("InvalidNextToken", f"The token '{token}' is invalid")
