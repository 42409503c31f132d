"""What EC2 shows a hundred of on a page at most, and so when no size is asked for.

EC2 API Reference, DescribeInstanceTypes: MaxResults from 5 to 100, at most 100 InstanceTypes; Describe-
ManagedPrefixLists: MaxResults from 1 to 100. What is answered beyond these bounds it does not say; refusing
is assumed. moto shows all on one page.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult

from local_aws.call import AwsError, Call
from local_aws.corrections import paging
from local_aws.corrections.registry import handler
from local_aws.world import World

MOST = 100
_LEAST = {"DescribeInstanceTypes": 5, "DescribeManagedPrefixLists": 1}


@handler(*(f"ec2:{name}" for name in _LEAST))
def describe(world: World, call: Call) -> Any:
    """One page of what moto shows."""
    size = call.params.get("MaxResults") or MOST
    if max(int(size), len(call.params.get("InstanceTypes") or ())) > MOST:
        raise AwsError("InvalidParameterValue", f"The request asks for more than {MOST} at once.")
    ((key, rows),) = call.moto().result.items()
    params = {**call.params, "MaxResults": size}
    page, token = paging.page(rows, params, ids_given=False, least=_LEAST[call.operation])
    return ActionResult({key: page, "NextToken": token})
