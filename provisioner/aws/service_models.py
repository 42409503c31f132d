"""botocore's service models with only what this program uses of them.

botocore reads all of a service before it sends anything: for EC2 4 MB of JSON, 770 operations, each of which
becomes a method. What the program uses is a thirtieth of that. It is kept in the user's cache, and made anew
of the installed botocore whenever it is missing, is of another botocore, or is not as it was written. Nothing
depends on it: where nothing can be kept, each run makes the models anew. See docs/decisions/0020.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import botocore
from botocore.exceptions import DataNotFoundError
from botocore.loaders import JSONFileLoader, Loader

from provisioner.aws.cache import read_kept, write_kept

# Credentials are fetched by whatever the user has configured, which is botocore's business alone.
OF_CREDENTIALS = frozenset({"sts", "sso", "sso-oidc", "signin"})
SERVICE = "service-2"
# What a file that is kept is like: another number, and those of before are made anew.
FORMAT = 1
_SOURCE = Path(__file__).resolve().parents[1]
_DOCUMENTATION = ("documentation", "documentationUrl")


class PlainFiles(JSONFileLoader):
    """botocore's reader of files, with plain dictionaries, which keep their order as well."""

    def load_file(self, file_path: str) -> Any:
        """What a file says, whose ending is left out; None where there is none."""
        for ending, open_file in ((".json", open), (".json.gz", gzip.open)):
            with suppress(FileNotFoundError), open_file(file_path + ending, "rb") as file:
                return json.loads(file.read())
        return None


class ModelLoader(Loader):
    """A loader like the given one, which gives small models of the services that the program calls itself."""

    def __init__(self, like: Loader) -> None:
        super().__init__(list(like.search_paths), PlainFiles(), include_default_search_paths=False)
        # Sessions of many accounts share a loader, and make their clients side by side.
        self._lock = threading.RLock()
        self._required: dict[str, set[str]] = {}
        self._small: dict[str, dict[str, Any]] = {}
        self._is_aws_own: dict[str, bool] = {}
        self._loading: str | None = None

    def require(self, service: str, operation: str) -> None:
        """The models of a service that are loaded from now on have this operation, if botocore knows it."""
        with self._lock:
            self._required.setdefault(service, set()).add(operation)

    def others_with(self, service: str) -> list[str]:
        """The folders beside botocore's own that have a model of a service, which then may be what counts."""
        others = [path for path in self.search_paths if path != self.BUILTIN_DATA_PATH]
        return [path for path in others if any(Path(path, service).glob(f"*/{SERVICE}*"))]

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        """As botocore's own, which describes what it takes, returns and raises."""
        with self._lock:
            self._loading = service_name
            try:
                return self._load(service_name, type_name, api_version)
            finally:
                self._loading = None

    def list_available_services(self, type_name: str) -> list[str]:
        """As botocore's own; but while a service is loaded that is there, only that one.

        botocore would look through the folders of all 400 services to know it.
        """
        with self._lock:
            if self._loading:
                with suppress(DataNotFoundError):
                    self.determine_latest_version(self._loading, type_name)
                    return [self._loading]
            services: list[str] = super().list_available_services(type_name)
            return services

    def _load(self, service_name: str, type_name: str, api_version: str | None) -> Any:
        if type_name == SERVICE and self._may_be_small(service_name, api_version):
            # An odd model or file is no reason not to go on with botocore's own.
            with suppress(Exception):
                return self._small_model(service_name)
        return super().load_service_model(service_name, type_name, api_version)

    def _small_model(self, service: str) -> dict[str, Any]:
        required = self._required[service]
        small = self._small.get(service) or self._kept(service) or {}
        if not required <= small.get("operations", {}).keys():
            small = self._made(service, {*required, *small.get("operations", {})})
        self._small[service] = small
        return small

    def _may_be_small(self, service: str, api_version: str | None) -> bool:
        """Whether the program calls the service, and its model is the one that came with botocore."""
        if service in OF_CREDENTIALS or service not in self._required or api_version is not None:
            return False
        if service not in self._is_aws_own:
            self._is_aws_own[service] = not self.others_with(service)
        return self._is_aws_own[service]

    def _kept(self, service: str) -> dict[str, Any] | None:
        text = read_kept(_name(service), self._stamp(service))
        if text is None:
            return None
        try:
            model: dict[str, Any] = json.loads(text)
        except ValueError:
            return None
        return model if {"operations", "shapes", "metadata"} <= model.keys() else None

    def _made(self, service: str, operations: Collection[str]) -> dict[str, Any]:
        # By a loader of its own, which forgets the whole model afterwards.
        whole = Loader([self.BUILTIN_DATA_PATH], include_default_search_paths=False)
        model = whole.load_service_model(service, SERVICE)
        small = reduced(model, {*operations, *(named_in(_SOURCE) & model["operations"].keys())})
        write_kept(_name(service), self._stamp(service), json.dumps(small, separators=(",", ":")))
        return small

    def _stamp(self, service: str) -> str:
        """Which model a small one was made from: the check sum that ends a compressed file, and its size."""
        path = max(Path(self.BUILTIN_DATA_PATH, service).glob(f"*/{SERVICE}.json*"))
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 8))
            return f"{FORMAT} {botocore.__version__} {path.parent.name} {size} {file.read().hex()}"


def reduced(model: Mapping[str, Any], operations: Collection[str]) -> dict[str, Any]:
    """A service model with these of its operations, the shapes that they need, and no documentation.

    https://smithy.io/2.0/ is what such models are made from; botocore's `ServiceModel` reads them.
    """
    kept = {name: _plain(what) for name, what in model["operations"].items() if name in operations}
    shapes: dict[str, Any] = {}
    open_names = set(_shapes_in(kept))
    while open_names:
        name = open_names.pop()
        shapes[name] = _plain(model["shapes"][name])
        open_names |= set(_shapes_in(shapes[name])) - shapes.keys()
    left_out = ("operations", "shapes", "examples", *_DOCUMENTATION)
    rest = {name: value for name, value in model.items() if name not in left_out}
    return rest | {"operations": kept, "shapes": shapes}


def named_in(folder: Path) -> set[str]:
    """All words in the source files of a folder that may be the name of an operation.

    So nobody has to keep a list. A name that the source puts together of parts is learnt when it is called.
    """
    sources = (path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    return {word for text in sources for word in re.findall(r"\b[A-Z][A-Za-z0-9]+\b", text)}


def _name(service: str) -> str:
    return f"{service}-{botocore.__version__}.json"


def _plain(value: Any) -> Any:
    """A part of a model without its documentation; a member that has that name is no text."""
    if isinstance(value, Mapping):
        return {
            name: _plain(inner)
            for name, inner in value.items()
            if not (name in _DOCUMENTATION and isinstance(inner, str))
        }
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _shapes_in(value: Any) -> Iterator[str]:
    """The names of the shapes that a part of a model refers to; a member may be called `shape` as well."""
    if isinstance(value, Mapping):
        if isinstance(value.get("shape"), str):
            yield value["shape"]
        for inner in value.values():
            yield from _shapes_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _shapes_in(inner)
