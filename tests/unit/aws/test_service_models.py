"""The service models that are kept: as botocore's own for whatever the program calls, and never needed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import DataNotFoundError
from botocore.loaders import Loader, create_loader
from botocore.model import ServiceModel, Shape

from provisioner.aws.cache import read_kept, write_kept
from provisioner.aws.login import open_local_session, require
from provisioner.aws.service_models import ModelLoader, reduced

WHOLE = Loader([Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
DESCRIBED = {
    "ec2": {"DescribeInstances", "RunInstances", "CreateTags", "ModifyInstanceAttribute"},
    "iam": {"GetAccountAuthorizationDetails", "CreateRole", "TagInstanceProfile"},
    "ssm": {"GetParameter"},
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "provisioner"


def loader(service: str = "iam", *operations: str) -> ModelLoader:
    made = ModelLoader(WHOLE)
    for operation in operations:
        made.require(service, operation)
    return made


def operations(made: ModelLoader, service: str = "iam") -> set[str]:
    return set(made.load_service_model(service, "service-2")["operations"])


def is_whole(made: ModelLoader, service: str = "iam") -> bool:
    return operations(made, service) == set(WHOLE.load_service_model(service, "service-2")["operations"])


def as_data(shape: Shape | None, within: tuple[str, ...] = ()) -> Any:
    """All that botocore knows of a shape, but for its documentation."""
    if shape is None or shape.name in within:
        return shape and shape.name
    parts = dict(getattr(shape, "members", None) or {})
    parts |= {name: getattr(shape, name) for name in ("member", "key", "value") if name in dir(shape)}
    metadata = {name: value for name, value in shape.metadata.items() if name != "documentation"}
    inner = {name: as_data(part, (*within, shape.name)) for name, part in parts.items()}
    return shape.name, shape.type_name, dict(shape.serialization), metadata, inner


@pytest.mark.parametrize("service", DESCRIBED)
def test_what_is_called_is_described_as_botocore_does(service: str) -> None:
    whole = WHOLE.load_service_model(service, "service-2")
    small = json.loads(json.dumps(reduced(whole, DESCRIBED[service])))
    ours, theirs = ServiceModel(small, service), ServiceModel(whole, service)
    assert ours.metadata == theirs.metadata
    assert set(ours.operation_names) == DESCRIBED[service]
    for name in DESCRIBED[service]:
        one, other = ours.operation_model(name), theirs.operation_model(name)
        assert as_data(one.input_shape) == as_data(other.input_shape)
        assert as_data(one.output_shape) == as_data(other.output_shape)
        assert [as_data(shape) for shape in one.error_shapes] == [
            as_data(shape) for shape in other.error_shapes
        ]
        assert (one.http, one.has_streaming_output) == (other.http, other.has_streaming_output)


def test_a_member_may_be_called_like_a_part_of_the_model() -> None:
    members = {"shape": {"shape": "Text"}, "documentation": {"shape": "Text", "documentation": "About."}}
    model = {
        "metadata": {},
        "operations": {"Ask": {"input": {"shape": "In"}}, "Tell": {"input": {"shape": "Other"}}},
        "shapes": {
            "In": {"type": "structure", "members": members},
            "Other": {"type": "string"},
            "Text": {"type": "string", "documentation": "A text."},
        },
    }
    assert reduced(model, {"Ask"}) == {
        "metadata": {},
        "operations": {"Ask": {"input": {"shape": "In"}}},
        "shapes": {
            "In": {
                "type": "structure",
                "members": {"shape": {"shape": "Text"}, "documentation": {"shape": "Text"}},
            },
            "Text": {"type": "string"},
        },
    }


def test_a_model_has_what_the_source_names() -> None:
    made = loader("ec2", "DescribeInstances")
    assert {"RunInstances", "TerminateInstances", "CreateTags"} <= operations(made, "ec2")
    assert len(operations(made, "ec2")) < 150


def test_what_the_source_does_not_name_is_learnt_and_kept() -> None:
    assert "ListSAMLProviders" not in operations(loader("iam", "GetRole"))
    assert "ListSAMLProviders" in operations(loader("iam", "ListSAMLProviders"))
    assert {"ListSAMLProviders", "GetRole"} <= operations(loader("iam", "GetRole"))


def test_what_is_kept_is_read_again(cache: Path) -> None:
    operations(loader("iam", "GetRole"))
    kept = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    assert len(kept) == 1
    operations(loader("iam", "GetRole"))
    assert {path: path.stat().st_mtime_ns for path in cache.iterdir()} == kept


@pytest.mark.parametrize("service", ["sts", "sso", "sso-oidc"])
def test_the_services_of_credentials_are_botocores_own(service: str, cache: Path) -> None:
    assert is_whole(loader(service, "GetCallerIdentity"), service)
    assert not cache.exists()


def test_who_calls_nothing_of_a_service_gets_botocores_own() -> None:
    assert is_whole(loader("ec2", "DescribeInstances"), "iam")


def test_a_model_of_the_users_own_is_the_one_that_counts(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "iam" / "2030-01-01"
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text('{"metadata": {}, "operations": {"Own": {}}, "shapes": {}}')
    made = ModelLoader(create_loader(str(tmp_path / "models")))
    made.require("iam", "Own")
    assert operations(made) == {"Own"}


Spoil = Callable[[Path, Path], object]


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda _, file: file.write_bytes(b""), id="is empty"),
        pytest.param(lambda _, file: file.write_bytes(file.read_bytes()[:-1]), id="is cut off"),
        pytest.param(
            lambda _, file: file.write_bytes(file.read_bytes().replace(b"GetRole", b"SetRole")),
            id="is changed",
        ),
        pytest.param(lambda _, file: file.write_bytes(b"\xff\n{}"), id="is no text"),
        pytest.param(lambda _, file: file.chmod(0o620), id="can be written by the group"),
        pytest.param(lambda _, file: file.chmod(0o602), id="can be written by everybody"),
        pytest.param(lambda folder, _: folder.chmod(0o777), id="is in a folder that everybody can write"),
        pytest.param(lambda folder, file: linked(folder / "elsewhere", file), id="is a link"),
        pytest.param(
            lambda folder, _: linked(folder.with_name("elsewhere"), folder), id="is in a linked folder"
        ),
        pytest.param(lambda _, file: (file.unlink(), file.mkdir()), id="is a folder"),
        pytest.param(lambda _, file: piped(file), id="is a pipe"),
    ],
)
@pytest.mark.sampled
def test_what_is_kept_is_not_believed_when_it(spoil: Spoil, cache: Path) -> None:
    whole = WHOLE.load_service_model("iam", "service-2")["operations"]
    operations(loader("iam", "GetRole"))
    (file,) = cache.iterdir()
    name, stamp = file.name, file.read_bytes().split(b" ")
    stamp_text = b" ".join(stamp[:5]).decode()
    assert read_kept(name, stamp_text) is not None
    spoil(cache, file)
    assert read_kept(name, stamp_text) is None
    assert {"GetRole"} <= operations(loader("iam", "GetRole")) <= set(whole)


def piped(file: Path) -> None:
    """Put a pipe in the place of a file."""
    file.unlink()
    os.mkfifo(file)


def linked(target: Path, link: Path) -> None:
    """Put a link in the place of what is there, to the same under another name."""
    link.rename(target)
    link.symlink_to(target)


def test_what_is_kept_with_another_stamp_is_not_read() -> None:
    write_kept("x.json", "1 2", "{}")
    assert read_kept("x.json", "1 2") == "{}"
    assert read_kept("x.json", "1 3") is None


def test_what_is_kept_can_be_read_and_written_by_its_owner_alone(cache: Path) -> None:
    write_kept("x.json", "1", "{}")
    assert (cache.stat().st_mode & 0o777, (cache / "x.json").stat().st_mode & 0o777) == (0o700, 0o600)


@pytest.mark.parametrize("place", ["/dev/null", "/proc/nowhere", "relative"])
def test_nothing_is_needed_to_be_kept(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/dev/null")
    monkeypatch.setenv("XDG_CACHE_HOME", place)
    assert "GetRole" in operations(loader("iam", "GetRole"))
    assert list(tmp_path.iterdir()) == []


def test_a_client_has_what_is_required_of_it() -> None:
    session = open_local_session()
    require(session, "iam", "GetRole")
    first = session.create_client("iam", region_name="us-east-1")
    require(session, "iam", "ListSAMLProviders")
    second = session.create_client("iam", region_name="us-east-1")
    assert hasattr(first, "get_role")
    assert not hasattr(first, "list_saml_providers")
    assert hasattr(second, "get_role")
    assert hasattr(second, "list_saml_providers")


@pytest.mark.parametrize("name", ["endpoints", "partitions", "ec2/2016-11-15/endpoint-rule-set-1", "_retry"])
def test_all_other_files_say_what_they_say_to_botocore(name: str) -> None:
    ours = loader("ec2", "DescribeInstances").load_data(name)
    assert json.dumps(ours) == json.dumps(WHOLE.load_data(name))


def test_rules_of_endpoints_are_those_of_botocore() -> None:
    rules = "endpoint-rule-set-1"
    ours = loader("ec2", "DescribeInstances").load_service_model("ec2", rules)
    assert ours == WHOLE.load_service_model("ec2", rules)


def test_all_services_are_listed_also_after_one_was_loaded() -> None:
    made = loader("iam", "GetRole")
    made.load_service_model("sts", "service-2")
    assert made.list_available_services("service-2") == WHOLE.list_available_services("service-2")


def test_what_there_is_not_is_told_as_by_botocore() -> None:
    with pytest.raises(DataNotFoundError):
        loader().load_data("nothing")
