"""One AWS request as a value, read from the wire, and its answer written back to the wire.

Wire formats: "Making API requests to Amazon EC2" (Query requests), "Making query requests" (IAM), and the
botocore service models that both moto and the AWS SDKs are built on.
"""

from __future__ import annotations

import io
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape  # nosec B406 # writes XML, reads none

from botocore.model import OperationNotFoundError
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import camelcase_to_underscores
from moto.ec2.responses import EC2Response
from moto.iam.responses import IamResponse
from moto.moto_server.werkzeug_app import BackendRequest
from moto.ssm.responses import SimpleSystemManagerResponse
from moto.sts.responses import TokenResponse
from werkzeug.exceptions import HTTPException

from local_aws.ec2_xml import write_ec2
from local_aws.settings import OF_JSON


class _PricingResponse(BaseResponse):  # type: ignore[misc]
    """What moto has for other services: it reads a request, and knows the service model."""

    def __init__(self) -> None:
        super().__init__(service_name="pricing")


class _QuotasResponse(BaseResponse):  # type: ignore[misc]
    """The same for Service Quotas; moto's own has none of EC2."""

    def __init__(self) -> None:
        super().__init__(service_name="service-quotas")


class _TaggingResponse(BaseResponse):  # type: ignore[misc]
    """The same for the Resource Groups Tagging API, which signs as `tagging`; moto's own has no profiles."""

    def __init__(self) -> None:
        super().__init__(service_name="resourcegroupstaggingapi")


_RESPONSES: dict[str, Any] = {
    "ec2": EC2Response,
    "iam": IamResponse,
    "sts": TokenResponse,
    "ssm": SimpleSystemManagerResponse,
    "pricing": _PricingResponse,
    "servicequotas": _QuotasResponse,
    "tagging": _TaggingResponse,
}
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold: https://www.w3.org/TR/xml/#charsets."""
_CREDENTIAL = re.compile(r"Credential=([^/]*)/\d+/([^/]+)/([^/]+)/aws4_request")


class AwsError(Exception):
    """An error as AWS answers it: code, message and HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True)
class Answer:
    """What goes back: HTTP status, content type, body, and the AWS error code if there is one."""

    status: int
    content_type: str
    body: bytes
    error: str = ""


@dataclass
class Call:
    """An AWS request: `params` as the service model names them (lists and dicts of Python values)."""

    service: str
    operation: str
    region: str
    params: dict[str, Any]
    response: Any = None
    access_key: str = ""
    account: str = ""

    @property
    def name(self) -> str:
        """Service and operation, such as `ec2:RunInstances`."""
        return f"{self.service}:{self.operation}"

    @property
    def is_read(self) -> bool:
        """Whether the operation only reads."""
        return self.operation.startswith(("Describe", "Get", "List"))

    def moto(self, **changes: Any) -> Any:
        """Lets moto execute the call and returns moto's result object.

        `changes` replaces parameters; a value of None removes one.
        """
        method = getattr(self.response, camelcase_to_underscores(self.operation), None)
        if method is None:
            raise not_implemented(self.name)
        if changes:
            merged = {**self.params, **changes}
            self.response.params = {key: value for key, value in merged.items() if value is not None}
        try:
            return method()
        except NotImplementedError as missing:
            raise not_implemented(self.name, str(missing)) from missing


def not_implemented(name: str, detail: str = "") -> AwsError:
    """The error for what the local AWS does not know; status 501 because SDKs do not retry that."""
    return AwsError("NotImplemented", f"The local AWS does not support {name}. {detail}".strip(), 501)


def service_of(environ: dict[str, Any]) -> str:
    """The service that a WSGI request is signed for, or an empty text."""
    scope = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    return scope[3] if scope else ""


def check_service(environ: dict[str, Any]) -> None:
    """Raises AwsError for what is not sent to one of these services, wherever moto would pass it on to."""
    service = service_of(environ)
    if service and service not in _RESPONSES:
        known = ", ".join(name.upper() for name in _RESPONSES)
        raise AwsError("NotImplemented", f"The local AWS has {known} and nothing of {service}.", 501)
    if environ.get("PATH_INFO") != "/" or environ.get("REQUEST_METHOD") != "POST":
        raise AwsError("InvalidAction", "The local AWS takes calls as POST to / only.", 404)


def read_call(environ: dict[str, Any], body: bytes, account_of: Callable[[str], str]) -> Call:
    """The call in a WSGI request with this body; `account_of` tells whose account an access key is of.

    Raises AwsError for what is no call of these services.
    """
    check_service(environ)
    environ["wsgi.input"] = io.BytesIO(body)
    # What is read already has one length, however it was sent.
    environ["CONTENT_LENGTH"] = str(len(body))
    scope = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    access_key, region, service = scope.groups() if scope else ("", "us-east-1", "")
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    operation = target.rpartition(".")[2]
    if not target and environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        operation = parse_qs(body.decode(errors="replace")).get("Action", [""])[0]
    if operation == "AssumeRoleWithWebIdentity":
        service = "sts"
    if not service:
        raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
    if not operation:
        raise AwsError("MissingAction", "The request must contain the parameter Action.")
    response = _RESPONSES[service]()
    account = account_of(access_key)
    # moto would look for the key in all accounts and partitions, and make those that nobody has used yet.
    environ["HTTP_X_MOTO_ACCOUNT_ID"] = account
    call = Call(service, operation, region, {}, response, access_key, account)
    try:
        response.setup_class(BackendRequest(environ))
    except OperationNotFoundError:
        raise AwsError(
            "InvalidAction", f"The action {operation} is not valid for this web service."
        ) from None
    # The user agent may name a region too, and moto believes that first; the signature is what AWS looks at.
    response.region = region
    call.params = _json(body) if service in OF_JSON else dict(response.params)
    return call


def _json(body: bytes) -> dict[str, Any]:
    try:
        read = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise AwsError("SerializationException", "The body is no JSON object.")
    return read


def write_answer(call: Call, result: Any) -> Answer:
    """A handler's result on the wire: a dict by the service model, or moto's result object."""
    if isinstance(result, dict) and call.service == "ec2":
        return Answer(200, "text/xml;charset=UTF-8", write_ec2(call.operation, result, str(uuid.uuid4())))
    if isinstance(result, dict):
        result = ActionResult(result)
    if isinstance(result, ActionResult):
        status, headers, body = call.response.serialized(result)
    else:
        status, headers, body = call.response._transform_response({}, result)
    kind = headers.get(
        "Content-Type", "application/x-amz-json-1.1" if call.service in OF_JSON else "text/xml"
    )
    data = body if isinstance(body, bytes) else body.encode()
    return Answer(int(status), kind, data.replace(b">request-id<", f">{uuid.uuid4()}<".encode()))


def write_error(call: Call | None, problem: Exception, service: str = "") -> Answer:
    """An AwsError, or an error of moto's, on the wire as the service writes errors."""
    service = call.service if call else service or "ec2"
    if isinstance(problem, ServiceException) and call is not None:
        status, _, _ = call.response.serialized(ActionResult(problem))
        problem = AwsError(problem.code, problem.message, 400 if service == "ec2" else int(status))
    elif isinstance(problem, HTTPException):
        code = getattr(problem, "error_type", "InternalFailure")
        problem = AwsError(code, str(getattr(problem, "message", problem)), problem.code or 500)
    elif not isinstance(problem, AwsError):
        problem = AwsError("InternalFailure", f"{type(problem).__name__}: {problem}", 500)
    if problem.code == "DryRunOperation":
        problem.status = 412
    code, message = (escape(NOT_IN_XML.sub("?", text)) for text in (problem.code, problem.message))
    request_id = uuid.uuid4()
    if service in OF_JSON:
        kind = "application/x-amz-json-1.1"
        text = json.dumps({"__type": problem.code, "message": problem.message})
    elif service == "ec2":
        kind = "text/xml;charset=UTF-8"
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error>'
            f"<Code>{code}</Code><Message>{message}</Message></Error></Errors>"
            f"<RequestID>{request_id}</RequestID></Response>"
        )
    else:
        kind = "text/xml"
        party = "Sender" if problem.status < 500 else "Receiver"
        text = (
            f"<ErrorResponse><Error><Type>{party}</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    return Answer(problem.status, kind, text.encode(), problem.code)
