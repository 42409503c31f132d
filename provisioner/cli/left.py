"""What a destroy of one environment among many has left."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provisioner.aws.client import Aws
    from provisioner.many.jobs import Job


def what_is_left(job: Job, aws: Aws) -> tuple[str, ...]:
    """Looked at once more, by the tags alone: that nothing is left that costs money, or what is."""
    from provisioner.account.contents import IamContents, read_all
    from provisioner.account.environments import environments
    from provisioner.errors import ProvisionerError
    from provisioner.render.as_account import left_lines

    name = job.environment.name
    try:
        contents = read_all(aws, [job.environment.region], name)
    except ProvisionerError as error:
        return (f"It could not be read what is left of {name}: {error.message}",)
    unread = [problem for region in contents for problem in region.unread]
    return tuple(left_lines(name, environments(contents, IamContents()), unread))
