"""The index of tags of the Resource Groups Tagging API: instance profiles, and nothing else.

GetResources: https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html.
What was never tagged is not shown; what was deleted goes on to be, for as long as the index lags behind IAM.
Things of a global service are shown in one region of its partition. moto's index has no instance profiles.
"""

from __future__ import annotations

from typing import Any

from local_aws.call import AwsError, Call, not_implemented
from local_aws.corrections.registry import handler
from local_aws.iam.gatekeeper import HOME_OF_IAM
from local_aws.iam.things import tags_of
from local_aws.world import World

TYPE = "iam:instance-profile"
MAX_FILTERS, MAX_VALUES, MAX_RESULTS = 50, 20, 100


@handler("tagging:GetResources")
def resources(world: World, call: Call) -> Any:
    """Those that pass all filters, with all their tags, by ARN."""
    filters, size = _checked(call)
    start = _start(call.params.get("PaginationToken"))
    is_home = call.region == HOME_OF_IAM.get(world.partition, call.region)
    found = [
        {"ResourceARN": profile.arn, "Tags": [{"Key": key, "Value": tags[key]} for key in sorted(tags)]}
        for profile in sorted(world.iam.instance_profiles.values(), key=lambda profile: profile.arn)
        if is_home and (tags := tags_of(profile.tags)) and _passes(tags, filters)
    ]
    token = str(start + size) if start + size < len(found) else ""
    return {"ResourceTagMappingList": found[start : start + size], "PaginationToken": token}


def _checked(call: Call) -> tuple[list[dict[str, Any]], int]:
    """The filters and the size of a page. Raises AwsError for what AWS, or the local AWS, does not take."""
    types = call.params.get("ResourceTypeFilters") or []
    if types != [TYPE]:
        raise not_implemented(call.name, f"It has the tags of {TYPE} only.")
    filters = call.params.get("TagFilters") or []
    if len(filters) > MAX_FILTERS or any(len(one.get("Values") or []) > MAX_VALUES for one in filters):
        raise _invalid("TagFilters")
    size = call.params.get("ResourcesPerPage", MAX_RESULTS)
    if not isinstance(size, int) or not 1 <= size <= MAX_RESULTS:
        raise _invalid("ResourcesPerPage")
    return filters, size


def _start(token: Any) -> int:
    if not token:
        return 0
    if not (isinstance(token, str) and token.isascii() and token.isdecimal()):
        raise AwsError("PaginationTokenExpiredException", "The pagination token has expired.")
    return int(token)


def _passes(tags: dict[str, str], filters: list[dict[str, Any]]) -> bool:
    return all(
        one["Key"] in tags and (not one.get("Values") or tags[one["Key"]] in one["Values"]) for one in filters
    )


def _invalid(name: str) -> AwsError:
    return AwsError("InvalidParameterException", f"The value of {name} is invalid.")
