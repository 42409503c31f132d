"""A kind that is added is told at import what it lacks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from provisioner.errors import AwsError
from provisioner.kinds import KINDS, schema_folder
from provisioner.kinds.contract import checked
from provisioner.model import Replan
from provisioner.retry import COMMON, CallRules, RetryRule, merged


class Bucket:
    """A kind as somebody would begin it; each test takes something away."""

    name = "bucket"
    section = "buckets"
    is_of_iam = False
    explanations: Mapping[str, tuple[str, str]] = MappingProxyType({})
    call_rules = CallRules()

    def parse(self, *_: Any) -> Any: ...
    def check(self, *_: Any) -> Any: ...
    def observe(self, *_: Any) -> Any: ...
    def observe_details(self, *_: Any) -> Any: ...
    def compare(self, *_: Any) -> Any: ...
    def permissions(self, *_: Any) -> Any: ...
    def describe(self, *_: Any) -> Any: ...
    def status(self, *_: Any) -> Any: ...


@pytest.fixture
def schemas(tmp_path: Path) -> Path:
    folder = tmp_path / "kinds"
    folder.mkdir()
    (folder / "bucket.schema.json").write_text("{}")
    return tmp_path


def without(**overwritten: Any) -> Any:
    return type("Bucket", (Bucket,), overwritten)()


LACKING: dict[str, tuple[Any, str]] = {
    "a method": (without(observe_details=None), "kind Bucket has no method `observe_details`"),
    "its permissions": (without(permissions=None), "kind Bucket has no method `permissions`"),
    "two": (without(compare=None, status=None), "no method `compare`.*; kind Bucket has no method `status`"),
    "a name": (without(name=None), "kind Bucket has no `name`, which is a str"),
    "a section": (without(section=None), "kind Bucket has no `section`, which is a str"),
    "whether it is of IAM": (without(is_of_iam=None), "kind Bucket has no `is_of_iam`, which is a bool"),
    "what is known of its calls": (without(call_rules=None), "no `call_rules`, which is a CallRules"),
    "sentences about its fields": (without(explanations=None), "no `explanations`, which is a Mapping"),
    "a schema": (without(name="queue"), "kind Bucket has no schema: write schemas/kinds/queue.schema.json"),
}


@pytest.mark.parametrize("case", LACKING)
def test_what_a_kind_lacks_is_said(case: str, schemas: Path) -> None:
    kind, said = LACKING[case]
    with pytest.raises(TypeError, match=said):
        checked([kind], schemas)


def test_a_kind_that_lacks_nothing_is_taken(schemas: Path) -> None:
    kind: Any = Bucket()
    assert checked([kind], schemas) == (kind,)


def test_two_kinds_have_two_names_and_two_sections(schemas: Path) -> None:
    first: Any = Bucket()
    second: Any = type("Pail", (Bucket,), {})()
    with pytest.raises(TypeError, match="kinds Bucket and Pail both have the name 'bucket'"):
        checked([first, second], schemas)


def test_the_kinds_that_there_are_lack_nothing() -> None:
    assert checked(KINDS, schema_folder()) == KINDS


def test_what_a_kind_knows_of_its_calls_counts_beside_what_is_so_for_all() -> None:
    def error(code: str, status: int = 409) -> AwsError:
        return AwsError("s3", "CreateBucket", code, "no", status)

    rules = merged(
        (
            COMMON,
            CallRules(
                retry=(RetryRule("aborted", 5, lambda error, _: error.code == "OperationAborted"),),
                final=frozenset({"OutOfBuckets"}),
                replan=((Replan.SOON, lambda error: error.code == "BucketAlreadyOwnedByYou"),),
                made={"CreateBucket": lambda params, _: (params["Bucket"],)},
            ),
        )
    )
    again = {code: rules.retry_rule_for(error(code, 500)) for code in ("InternalError", "OutOfBuckets")}
    assert [rule and rule.name for rule in again.values()] == ["server fault", None]
    aborted = rules.retry_rule_for(error("OperationAborted"))
    assert aborted is not None
    assert aborted.seconds == 5
    assert COMMON.retry_rule_for(error("OperationAborted")) is None
    assert rules.replan_after(error("BucketAlreadyOwnedByYou")) is Replan.SOON
    assert list(rules.made["CreateBucket"]({"Bucket": "logs"}, {})) == ["logs"]
