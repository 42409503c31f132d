"""What commands share: exit codes, and the way from a spec to a plan and onto the screen."""

from __future__ import annotations

import atexit
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any, Literal, NamedTuple, cast

from provisioner.cli import output
from provisioner.many.spec_file import SpecFile as SpecFile
from provisioner.once import Once

if TYPE_CHECKING:
    from rich.console import Console

    from provisioner.aws.client import Aws, Sent
    from provisioner.aws.connect import Options
    from provisioner.aws.connections import Connections
    from provisioner.cli.prices import Pricing
    from provisioner.errors import SpecError
    from provisioner.guardrails.rego import Rules
    from provisioner.kinds.base import Reader
    from provisioner.model import Environment, Login, Plan
    from provisioner.render.layout import Line

DONE, FAILED, CHANGES, WRONG_USE, REFUSED, INTERRUPTED = 0, 1, 2, 3, 4, 130


# Where whoever uses the local AWS is.
LOCAL_ADDRESS = "127.0.0.1/32"
# Wider than any line.
AS_WIDE_AS_NEEDED = 100_000


def load_spec(
    spec: SpecFile,
    refreshed: Sequence[str] = (),
    skipped_regions: str = "",
    my_ip: bool = False,
    needs_contents: bool = True,
) -> Environment:
    """The environment that a spec describes, with the images of some fleets to be followed.

    Not `needs_contents`: the files that the spec names, such as user data and public keys, may be missing.

    `my_ip`: rules for the address of whoever runs this get the present one. `skipped_regions` are
    the names of regions with commas between them, as on the command line.

    Raises SpecError, and UsageError for a fleet that the spec does not have or whose image is fixed, and for
    the name of a region that there is none of.
    """
    from provisioner.kinds import KINDS, refresh_images, refresh_my_ip
    from provisioner.spec import load

    skipped = regions_to_skip(skipped_regions)
    environment = refresh_images(load(spec.path, KINDS, spec.root, needs_contents, spec.target), refreshed)
    environment = refresh_my_ip(environment) if my_ip else environment
    return replace(environment, skipped_regions=skipped)


def regions_to_skip(given: str) -> tuple[str, ...]:
    """The regions of `--skip-region`. Raises UsageError for the name of a region that there is none of."""
    from provisioner.model import EVERY_REGION

    regions = tuple(region.strip() for region in given.split(",") if region.strip())
    check_regions("--skip-region", regions, f", or `{EVERY_REGION}`")
    return regions


def check_regions(option: str, regions: Sequence[str], or_else: str = "") -> None:
    """Raises UsageError for the name of a region that there is none of."""
    from provisioner.errors import UsageError
    from provisioner.model import EVERY_REGION
    from provisioner.spec.regions import known_regions, meant_region
    from provisioner.spec.wording import Suggestions, quoted

    known = known_regions() | {EVERY_REGION}
    for region in regions:
        if region not in known and len(known) > 1:
            maybe = meant_region(region, known, Suggestions())
            raise UsageError(
                f"{option}: there is no region {quoted(region)}",
                f"{maybe}write names of regions with commas between them{or_else}",
            )


def load_rules(spec: SpecFile, policies: Sequence[str]) -> Sequence[Rules]:
    """The guardrails of the spec's folder, and those of the command line, compiled.

    Each by themselves: data, exceptions and helpers of the command line are none of the folder's business.
    Raises UsageError and SpecError.
    """
    # Their names without the rest: most specs have no guardrails.
    from provisioner.guardrails.files import library
    from provisioner.spec.folder import folder_policies

    given = [source for source in (folder_policies(spec.path, library(), spec.root), policies) if source]
    return [_compiled(source) for source in given]


def given_rules(policies: Sequence[str]) -> Rules | None:
    """The guardrails of the command line alone. Raises UsageError and SpecError."""
    return _compiled(policies) if policies else None


# To compile rules takes longer than all else that a plan does with them: the same files, once.
_rules = Once()
# regopy frees them with functions that Python takes away when it ends.
atexit.register(_rules.clear)


def _compiled(sources: Sequence[str]) -> Rules:
    """The rules of folders and files, which are read anew. Raises UsageError and SpecError."""
    from provisioner.guardrails.files import read_rules
    from provisioner.guardrails.rego import compile_rules

    files = read_rules(sources)
    content = json.dumps([files.modules, files.data], sort_keys=True, default=repr)
    return _rules(content, lambda: compile_rules(files))


def connect_to(environment: Environment, options: Options) -> Aws:
    """A reading connection. Raises UsageError, LocalAwsError and ProvisionerError."""
    return _connect(environment.region, options, environment.login, environment.account_id)


def connect_in(region: str, options: Options) -> Aws:
    """A reading connection in a region. Raises UsageError, LocalAwsError and ProvisionerError."""
    return _connect(region, options)


def connections_for(options: Options) -> Connections:
    """The connections of many environments, one for each login and region."""
    from provisioner.aws.connections import Connections

    return Connections(options, _show_call(options), _show_waiting)


def _connect(region: str, options: Options, login: Login | None = None, account_id: str | None = None) -> Aws:
    from provisioner.aws.connect import connect

    return connect(region, options, _show_call(options), _show_waiting, login, account_id)


def _show_call(options: Options) -> Callable[[Sent], None]:
    """What tells each call that is sent, if somebody wants to know."""

    def show(sent: Sent) -> None:
        answer = f"  {sent.code}" if sent.code else ""
        say(f"{sent.seconds * 1000:7.0f} ms  {sent.service} {sent.operation}{answer}", err=True)

    return show if options.verbose else lambda sent: None


def _show_waiting(what: str) -> None:
    say(what, err=True)


def pricing_for(
    aws: Aws, environment: Environment, options: Options, no_cost: bool, reader: Reader | None = None
) -> Pricing | None:
    """What finds prices; None where nobody asks for them. `reader`: which others may share as well."""
    if no_cost:
        return None
    from provisioner.cli.prices import Pricing

    return Pricing(aws, environment, options, reader)


def with_tag_index(environment: Environment, is_one_of_many: bool = False) -> Environment:
    """The environment for a plan that nothing is done by: AWS's index of tags, which lags, may tell of it."""
    from provisioner.model import TagIndex

    return replace(environment, tag_index=TagIndex.ALWAYS if is_one_of_many else TagIndex.FOR_MANY)


def make_plan(
    environment: Environment,
    aws: Aws,
    destroying: bool,
    deep: bool = False,
    rules: Sequence[Rules] = (),
    pricing: Pricing | None = None,
    reader: Reader | None = None,
) -> Plan:
    """Observe, compare, and ask the guardrails. Raises AwsError and UsageError.

    `reader`: what is read with in place of `aws`, which may answer other environments as well.
    """
    from provisioner.kinds import KINDS, with_my_ip
    from provisioner.observe import observe
    from provisioner.plan import plan as compare

    environment = with_my_ip(environment, LOCAL_ADDRESS) if aws.target.is_local else environment
    beside = pricing.begin if pricing else lambda: None
    world = observe(environment, reader or aws, KINDS, destroying, deep, beside=beside)
    made = compare(world, KINDS)
    if pricing:
        made = pricing.with_cost(made, world, rules)
    if not rules:
        return made
    from provisioner.guardrails.judge import guarded

    return guarded(made, rules)


def say(text: str, err: bool = False) -> None:
    """Print one line of text, whatever is in it; above the live display, while there is one."""
    (output.err() if err else output.out()).write(text + "\n")


def say_data(data: Any) -> None:
    """Print a value for programs."""
    output.out().document(json_text(data))


def json_text(data: Any) -> str:
    """A value for programs as it is printed: what the encoding does not have is written as JSON can, and
    letters of all scripts where it has them."""
    is_universal = output.out().encoding.lower().replace("-", "").startswith("utf")
    return json.dumps(data, indent=2, ensure_ascii=not is_universal, default=str)


def say_document(text: str) -> None:
    """Print a page or a comment. What the encoding does not have is written as HTML and Markdown can."""
    gate = output.out()
    gate.document(text.rstrip("\n").encode(gate.encoding, "xmlcharrefreplace").decode(gate.encoding))


def console_for(stderr: bool = False) -> Console:
    """Where what is laid out for people goes: `styled` lines, and nothing that has not been made visible."""
    from rich.console import Console

    gate = output.err() if stderr else output.out()
    # Without colours rich would still write bold and dim.
    colours: Literal["auto"] | None = None if output.is_colourless() else "auto"
    file = cast("IO[str]", output.Layout(gate))
    return Console(file=file, color_system=colours, highlight=False, markup=False, emoji=False)


def screen_width(stderr: bool = False) -> int:
    """How many columns a line may take: those of the terminal, or as many as it needs where there is none, as
    what reads lines is then a program."""
    gate = output.err() if stderr else output.out()
    return console_for(stderr).width if gate.isatty() else AS_WIDE_AS_NEEDED


class Shown(NamedTuple):
    """What of a plan is shown that usually is not: the ids of all instances, and what user data says."""

    ids: bool = False
    user_data: bool = False


IN_SHORT = Shown()


def show_plan(plan: Plan, options: Options, stderr: bool = False, shown: Shown = IN_SHORT) -> None:
    """Print a plan for people."""
    from provisioner.render.as_text import plan_lines

    show_lines(plan_lines(plan, lines_width(stderr), options.is_local, shown.ids, shown.user_data), stderr)


def lines_width(stderr: bool = False) -> int:
    """How many columns `show_lines` has."""
    gate = output.err() if stderr else output.out()
    return console_for(stderr).width if output.is_drawn(gate) else output.plain_width()


def show_lines(lines: Sequence[Line], stderr: bool = False) -> None:
    """Print what was laid out for people. Where nothing is drawn, rich is not even imported."""
    gate = output.err() if stderr else output.out()
    if output.is_drawn(gate):
        from provisioner.render.styled import styled

        console_for(stderr).print(styled(lines), soft_wrap=True)
        return
    from provisioner.render.styled import plain

    gate.layout(plain(lines) + "\n")


def refusal_code(plan: Plan) -> int:
    """The exit code of a plan that is refused: the worst of all reasons, as of many environments."""
    from provisioner.many.outcome import exit_code_of

    return exit_code_of(refusal.exit_code for refusal in plan.refusals)


def tell_line(text: str, label: str = "") -> None:
    """On stderr; where that cannot be written, on stdout, unless a document for programs is there."""
    if not output.err().line(text, label) and not output.out().holds_document:
        output.out().line(text, label)


def tell_problems(error: SpecError, then: str = "nothing was sent") -> None:
    """All problems of a spec, how many there are, and what is done `then`."""
    for problem in error.problems:
        tell_line(str(problem))
    if error.more:
        tell_line(error.rest)
    number = len(error.problems) + error.more
    many = f"{'at least ' if error.stopped else ''}{number} problem{'' if number == 1 else 's'}"
    tell_line(f"{many}; {then}")
