"""What a spec may say beside `expires`, and what it means for settings that it does not name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from provisioner.errors import SpecError
from provisioner.kinds.fleet.ending import resolve_ends
from provisioner.kinds.fleet.observed import ObservedFleet
from provisioner.model import foretold_calls
from provisioner.render.as_json import plan_data
from tests.support.build import AROUND, FLEET, environment, fleet_of, planned, world

PLAIN = {"count": 1, "image": "ami-00000000000000001", "instance_type": "t3.micro", "expires": "8h"}


def fleet(**more: Any) -> Any:
    return fleet_of(environment(fleets={"web": {**PLAIN, **more}}))


def test_members_can_read_their_end_and_end() -> None:
    assert (fleet().instance_tags, fleet().shutdown_behavior) == ("enabled", "terminate")
    bare = {key: value for key, value in PLAIN.items() if key != "expires"}
    without = fleet_of(environment(fleets={"web": bare}))
    assert (without.instance_tags, without.shutdown_behavior) == ("disabled", "stop")
    of_all = fleet_of(environment(expires="8h", fleets={"web": bare}))
    assert (of_all.instance_tags, of_all.shutdown_behavior) == ("enabled", "terminate")


ALLOWED: tuple[dict[str, Any], ...] = (
    {"shutdown_behavior": "terminate"},
    {"metadata": {"instance_tags": "enabled"}},
    # Neither keeps an instance from shutting itself down.
    {"termination_protection": True},
    {"stop_protection": True},
    {"market": "spot"},
    {"power": "stopped"},
    {"keep": True},
)


@pytest.mark.parametrize("more", ALLOWED, ids=str)
def test_this_goes_with_an_end(more: dict[str, Any]) -> None:
    assert fleet(**more).expires.written == "8h"


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "shutdown_behavior": ({"shutdown_behavior": "stop"}, "would only be stopped"),
    "metadata.instance_tags": ({"metadata": {"instance_tags": "disabled"}}, "reads its end from its tags"),
    "metadata.http_endpoint": ({"metadata": {"http_endpoint": "disabled"}}, "from the metadata service"),
    'tags["a b"]': ({"tags": {"a b": "x"}}, "cannot be shown in the metadata"),
    "expires": ({"expires": "2026-11-27T18:00:00"}, "has no offset from UTC"),
}


@pytest.mark.parametrize("field", REFUSED)
def test_this_does_not(field: str) -> None:
    more, message = REFUSED[field]
    with pytest.raises(SpecError) as raised:
        fleet(**more)
    (problem,) = raised.value.problems
    assert problem.field == f"fleets.web.{field}"
    assert message in problem.message
    assert "expires" in (problem.hint or "") or "add one" in (problem.hint or "")


def test_a_common_tag_that_metadata_cannot_show_is_refused_too() -> None:
    with pytest.raises(SpecError, match="cannot be shown in the metadata"):
        environment(expires="8h", tags={"a b": "x"}, fleets={"web": PLAIN})


def test_a_wrong_end_of_the_environment_is_told_once() -> None:
    with pytest.raises(SpecError) as raised:
        environment(expires="soon", fleets={"web": PLAIN, "db": PLAIN})
    assert [problem.field for problem in raised.value.problems] == ["expires"]


def test_a_time_needs_no_quotes(tmp_path: Any) -> None:
    from provisioner.kinds import KINDS
    from provisioner.spec import load

    path = tmp_path / "spec.yaml"
    head = "environment: env\nregion: us-east-1\nexpires: 2026-11-27T18:00:00+01:00\n"
    path.write_text(head)
    said = load(str(path), KINDS).expires
    assert said is not None
    assert said.written == "2026-11-27T18:00:00+01:00"
    # A tag of that name is a text, and may have been meant as one.
    path.write_text(f"{head}tags: {{expires: 2026-11-27}}\n")
    with pytest.raises(SpecError, match="YAML reads 2026-11-27 as a date"):
        load(str(path), KINDS)


@pytest.mark.parametrize(
    ("operation", "refused"), [("RunInstances:0002", True), ("RunInstances", False), (None, False)]
)
def test_an_image_of_windows_has_nothing_that_could_end_it(operation: str | None, refused: bool) -> None:
    spec = environment(fleets={"web": PLAIN})
    around = replace(AROUND, image="ami-00000000000000001", operation=operation)
    plan = planned(spec, {FLEET: ObservedFleet(prerequisites=around)})
    assert [refusal.exit_code for refusal in plan.refusals] == ([1] if refused else [])


def test_a_plan_whose_end_is_yet_to_begin_is_data_and_has_no_time_of_day() -> None:
    spec = environment(
        expires="8h",
        roles={"web": {}},
        instance_profiles={"web": {"role": "web"}},
        fleets={"web": {"count": 1, "image": "ami-00000000000000001", "instance_type": "t3.micro"}},
    )
    around = ObservedFleet(prerequisites=replace(AROUND, image="ami-00000000000000001"))
    resolved = resolve_ends(world(spec, {FLEET: around}))
    made = planned(replace(spec, resources={**spec.resources, **resolved}), {FLEET: around})
    data = plan_data(made)
    assert plan_data(made)["digest"] == data["digest"]
    (launch,) = (change for change in made.changes if change.address == FLEET)
    assert [field.after for field in launch.fields if field.path == "expires"] == ["8h from the first launch"]
    created = [call for change in made.changes for call in foretold_calls(change.steps)]
    sent = [
        tag["Value"] for call in created for tag in _tags(call.params) if tag["Key"] == "provisioner:expires"
    ]
    assert sent == ["8h from the first launch"] * 3


def _tags(params: Any) -> list[dict[str, str]]:
    """The tags that a call gives, of instances where it is a launch."""
    specs = params.get("TagSpecifications", ())
    return [*params.get("Tags", ()), *(tag for spec in specs for tag in spec["Tags"])]
