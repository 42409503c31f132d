"""Writes EC2 answers as XML, from dicts, by the service model.

A describe of 1000 instances is some 100,000 values; a writer that is compiled once per shape keeps that
below what the client needs to read them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any
from xml.sax.saxutils import escape  # nosec B406 # writes XML, reads none

from moto.core.utils import get_service_model

Writer = Callable[[Any, list[str]], None]


def write_ec2(operation: str, result: dict[str, Any], request_id: str) -> bytes:
    """The XML answer of an EC2 operation; members that are None or absent are left out."""
    model = _model()
    namespace = f"http://ec2.amazonaws.com/doc/{model.api_version}/"
    out = [
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{operation}Response xmlns="{namespace}">'
        f"<requestId>{request_id}</requestId>"
    ]
    shape = model.operation_model(operation).output_shape
    if shape is None:
        out.append("<return>true</return>")
    else:
        _writer(shape.name)(result, out)
    out.append(f"</{operation}Response>")
    return "".join(out).encode()


@cache
def _model() -> Any:
    return get_service_model("ec2")


@cache
def _writer(shape_name: str) -> Writer:
    shape = _model().shape_for(shape_name)
    if shape.type_name == "structure":
        return _structure_writer(shape)
    if shape.type_name == "list":
        return _list_writer(shape)
    return _write_timestamp if shape.type_name == "timestamp" else _write_scalar


def _structure_writer(shape: Any) -> Writer:
    tags = {name: member.serialization.get("name", name) for name, member in shape.members.items()}
    writers: dict[str, Writer] = {}

    def write(value: Any, out: list[str]) -> None:
        for name, item in value.items():
            if item is None:
                continue
            writer = writers.get(name)
            if writer is None:
                # On first use, because shapes may contain themselves.
                writer = writers[name] = _writer(shape.members[name].name)
            tag = tags[name]
            out.append(f"<{tag}>")
            writer(item, out)
            out.append(f"</{tag}>")

    return write


def _list_writer(shape: Any) -> Writer:
    tag = shape.member.serialization.get("name", "item")
    start, end = f"<{tag}>", f"</{tag}>"
    writer = _writer(shape.member.name)

    def write(value: Any, out: list[str]) -> None:
        for item in value:
            out.append(start)
            writer(item, out)
            out.append(end)

    return write


def _write_timestamp(value: datetime, out: list[str]) -> None:
    out.append(value.strftime("%Y-%m-%dT%H:%M:%S.000Z"))


def _write_scalar(value: Any, out: list[str]) -> None:
    if value is True or value is False:
        out.append("true" if value else "false")
    else:
        out.append(escape(str(value)))
