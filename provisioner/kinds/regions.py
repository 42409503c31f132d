"""Who uses an instance profile in other regions. IAM is global; an environment is in one region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import partial

from provisioner.errors import AwsError
from provisioner.kinds.base import Reader
from provisioner.kinds.instances import Instance, find_bound, named
from provisioner.lazy_dataclass import dataclass
from provisioner.model import EVERY_REGION, Environment


@dataclass(frozen=True)
class Elsewhere:
    """Instances of other regions by their profile's ARN, and which regions could not be asked and why."""

    users: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)

    def problem(self, arn: str) -> tuple[str, str] | None:
        """Why the profile must not be deleted, and what to do about it; None: nobody elsewhere uses it."""
        users = self.users.get(arn)
        if users:
            return (
                f"is used by {', '.join(users)}; without it they lose their credentials",
                "detach it there first, or terminate these instances",
            )
        if self.unread:
            regions = ",".join(self.unread)
            where = "other regions" if EVERY_REGION in self.unread else regions.replace(",", ", ")
            return (
                f"may be used by instances in {where}, which could not be asked: "
                f"{'; '.join(dict.fromkeys(self.unread.values()))}",
                "allow ec2:DescribeRegions, and ec2:DescribeInstances in every region; or say "
                f"`--skip-region {regions}` if nothing there uses it",
            )
        return None

    def possible_users(self, arn: str) -> tuple[str, ...]:
        """Who uses the profile elsewhere, and where somebody may whom nobody could ask about, in words."""
        regions = ("other regions" if region == EVERY_REGION else region for region in self.unread)
        return (
            *self.users.get(arn, ()),
            *(f"what may be in {region}, which could not be asked" for region in regions),
        )


NOWHERE = Elsewhere()


def find_users_elsewhere(reader: Reader, arns: Sequence[str], environment: Environment) -> Elsewhere:
    """The live instances outside the environment's region that are bound to one of these profiles.

    All regions that the account has switched on are asked, side by side, but for those to be skipped:
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRegions.html
    """
    if not arns or EVERY_REGION in environment.skipped_regions:
        return NOWHERE
    try:
        switched_on = reader.call("ec2", "DescribeRegions")["Regions"]
    except AwsError as error:
        return Elsewhere(unread={EVERY_REGION: error.message})
    skipped = {environment.region, *environment.skipped_regions}
    regions = sorted({region["RegionName"] for region in switched_on} - skipped)

    def ask(region: str) -> list[Instance] | AwsError:
        try:
            return find_bound(reader.in_region(region), arns)
        except AwsError as error:
            return error

    answers: list[list[Instance] | AwsError]
    answers = reader.parallel(*(partial(ask, region) for region in regions))
    users: dict[str, tuple[str, ...]] = {}
    unread: dict[str, str] = {}
    for region, answer in zip(regions, answers, strict=True):
        if isinstance(answer, AwsError):
            unread[region] = answer.message
            continue
        for instance in answer:
            if instance.profile:
                known = users.get(instance.profile.arn, ())
                users[instance.profile.arn] = (*known, f"{named(instance)} in {region}")
    return Elsewhere(users, unread)
