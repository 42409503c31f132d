"""What an apply ends with: it looks once more where members are, and says what to type next."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from provisioner.cli.common import say
from provisioner.errors import ProvisionerError
from provisioner.visible import as_typed, path_as_typed

if TYPE_CHECKING:
    from provisioner.aws.client import Aws
    from provisioner.aws.connect import Options
    from provisioner.kinds.fleet.hosts import Host
    from provisioner.many.spec_file import SpecFile
    from provisioner.model import Environment, Login, Plan
    from provisioner.render.next_steps import NextSteps

# Set by the Makefile, whose targets are what was typed then.
MAKE_VARIABLE = "PROVISIONER_MAKE"
# What lets Session Manager in:
# https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-getting-started-instance-profile.html
SSM_POLICIES = ("AmazonSSMManagedInstanceCore", "AmazonSSMManagedEC2InstanceDefaultPolicy")


def find_next_steps(
    environment: Environment, aws: Aws, plan: Plan, spec: SpecFile, options: Options, is_done: bool = True
) -> NextSteps | None:
    """What to do next; None where no member runs, or nobody may look. Two calls at most.

    Not `is_done`: the plan was carried out in part, so what it would cost is told only if all members run.
    """
    from provisioner.kinds import find_hosts

    fleets = [desired for at, desired in plan.desired.items() if at.kind == "fleet"]
    if not fleets:
        return None
    try:
        # Who logs in is told by the image, and matters where there is a key to log in with.
        with_images = any(fleet.get("key_name") for fleet in fleets)
        hosts = find_hosts(aws, environment, with_images=with_images).hosts
    except (ProvisionerError, LookupError, ValueError, TypeError, AttributeError) as error:
        # What was to be done is done: this is for convenience only.
        why = str(error) if isinstance(error, ProvisionerError) else "the answer is not one of AWS"
        say(f"Where the members of {environment.name} are is not known: {why}", err=True)
        return None
    return next_steps(plan, hosts, spec, options, is_done, environment.login)


def next_steps(
    plan: Plan,
    hosts: Sequence[Host],
    spec: SpecFile,
    options: Options,
    is_done: bool = True,
    login: Login | None = None,
) -> NextSteps | None:
    """What to do next with the hosts that run, if any do; `login` is what the spec says of credentials."""
    from provisioner.access.ssh_config import reached_at
    from provisioner.render.next_steps import NextSteps

    if not hosts:
        return None
    fleets: dict[str, list[str]] = {}
    for host in hosts:
        fleets.setdefault(host.fleet, []).append(reached_at(host, private=False) or host.id)
    ssh = next(_ssh(plan, hosts), None)
    session = next(_sessions(plan, hosts, options, login), None)
    ends = {desired.get("expires") for at, desired in plan.desired.items() if at.kind == "fleet"} - {None}
    commands = (*(["ssh-config"] if ssh else []), "status", "destroy")
    return NextSteps(
        fleets,
        [login for login in (ssh, session) if login],
        [command(name, spec, options) for name in commands],
        plan.cost if is_done or _all_run(plan, fleets) else None,
        "; ".join(sorted(map(str, ends))) or None,
        options.is_local,
    )


def _all_run(plan: Plan, fleets: Mapping[str, Sequence[str]]) -> bool:
    """Whether as many members run as the plan wants, of each fleet."""
    wanted = {at.key: desired.get("count", 0) for at, desired in plan.desired.items() if at.kind == "fleet"}
    return {key: count for key, count in wanted.items() if count} == {
        fleet: len(members) for fleet, members in fleets.items()
    }


def _ssh(plan: Plan, hosts: Sequence[Host]) -> Iterator[str]:
    """How to log in to a member with a key, where its user is known."""
    from provisioner.access.ssh_config import reached_at
    from provisioner.access.users import WINDOWS, user_of

    for host in hosts:
        user, address = user_of(host.image), reached_at(host, private=False)
        if user and user != WINDOWS and address and _desired(plan, "fleet", host.fleet).get("key_name"):
            key = ["-i", host.key_file] if host.key_file else []
            yield _typed(["ssh", *key, f"{user}@{address}"])


def _sessions(plan: Plan, hosts: Sequence[Host], options: Options, login: Login | None) -> Iterator[str]:
    """How to open a session on a member whose role allows that.

    None where members are reached as a `role_arn` of the spec: the AWS CLI has no option that assumes one,
    and with the credentials that it is assumed with would look in their account.
    """
    if login and login.role_arn and not options.profile:
        return
    profile = options.profile or (login.profile if login else None)
    given = (("--region", plan.region), ("--profile", profile), ("--endpoint-url", options.endpoint_url))
    which = [word for option, value in given if value for word in (option, value)]
    for host in hosts:
        key = _desired(plan, "fleet", host.fleet).get("instance_profile")
        role = _desired(plan, "instance_profile", key).get("role")
        policies = _desired(plan, "role", role).get("managed_policies") or ()
        if any(str(policy).rpartition("/")[2] in SSM_POLICIES for policy in policies):
            yield _typed(["aws", "ssm", "start-session", *which, "--target", host.id])


def _desired(plan: Plan, kind: str, key: Any) -> Mapping[str, Any]:
    """What the spec asks for at an address; of what a spec does not have, nothing."""
    found = (desired for at, desired in plan.desired.items() if (at.kind, at.key) == (kind, key))
    return next(found, {})


def command(name: str, spec: SpecFile, options: Options) -> str:
    """A command about a spec, as the one was typed that says so: of the Makefile, or the program's own."""
    if not (os.environ.get(MAKE_VARIABLE) and name in ("status", "destroy")):
        return as_typed(["provisioner", name, *spec.words, *options.words])
    root = ["--root", spec.root] if spec.root else []
    which = [] if options.is_local else options.words
    variables = {
        "SPEC": path_as_typed(spec.path),
        "TARGET": spec.target,
        "LOCAL": "1" if options.is_local else None,
        "ARGS": as_typed([*root, *which]),
    }
    given = [f"{variable}={as_typed([value])}" for variable, value in variables.items() if value]
    return " ".join(["make", name, *given])


def _typed(words: Sequence[str]) -> str:
    """A command as it is typed; `~/` at the beginning of a path is for the shell."""
    return " ".join(
        f"~/{as_typed([word[2:]])}" if word.startswith("~/") else as_typed([word]) for word in words
    )
