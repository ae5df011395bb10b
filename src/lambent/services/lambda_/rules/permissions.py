"""Policies as AWS writes them: one statement from a request, and documents with one more or one less.

https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from lambent.kernel import limits
from lambent.kernel.arn import arn
from lambent.kernel.policy import VERSIONS
from lambent.services.lambda_.errors import permissions as errors

if TYPE_CHECKING:
    from lambent.kernel.call import Request

Statement = dict[str, Any]
Document = dict[str, Any]

_INVOKE = "lambda:InvokeFunction"
_INVOKE_URL = "lambda:InvokeFunctionUrl"
_ACCOUNT = re.compile(r"\d{12}")
_IDENTITY = re.compile(
    r"arn:aws[a-z-]*:(iam::\d{12}:(root|user/.+|role/.+)|sts::\d{12}:(assumed-role|federated-user)/.+)"
)
_SERVICE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.(amazonaws\.com(\.cn)?|amazon\.com)")


def check(request: Request) -> None:
    """Raise AWS's errors for members of AddPermission that do not go together."""
    if "FunctionUrlAuthType" in request and request["Action"] != _INVOKE_URL:
        raise errors.url_auth_type_elsewhere()
    if "InvokedViaFunctionUrl" in request and request["Action"] != _INVOKE:
        raise errors.via_url_elsewhere()
    if "EventSourceToken" in request and not request.keys().isdisjoint(("SourceArn", "SourceAccount")):
        raise errors.token_with_source()


def statement(request: Request, resource: str) -> Statement:
    """The statement that AddPermission asks for, about the ARN `resource`. Raises AWS's error for a bad principal."""
    return _statement(request, resource, _principal(request["Principal"]), _condition(request))


def layer_statement(request: Request, resource: str) -> Statement:
    """The statement that AddLayerVersionPermission asks for, about the ARN `resource`."""
    organization = request.get("OrganizationId")
    condition = {"StringEquals": {"aws:PrincipalOrgID": organization}} if organization else {}
    return _statement(request, resource, _principal(request["Principal"]), condition)


def added(document: str | None, new: Statement) -> str:
    """The policy with one statement more. Raises AWS's errors where its id is taken or the policy grows too long."""
    held = _decoded(document)
    check_free(document, new["Sid"])
    text = text_of(held | {"Statement": [*held["Statement"], new]})
    if len(text.encode()) > limits.RESOURCE_POLICY_BYTES:
        raise errors.too_long(len(text.encode()))
    return text


def removed(document: str, sid: str) -> str | None:
    """The policy without a statement; None where none is left. Raises AWS's error where it has no such statement."""
    held = _decoded(document)
    rest = [one for one in held["Statement"] if one.get("Sid") != sid]
    if len(rest) == len(held["Statement"]):
        raise errors.no_statement(sid)
    return text_of(held | {"Statement": rest}) if rest else None


def check_free(document: str | None, sid: str) -> None:
    """Raise AWS's error where a statement of the policy has this id."""
    if any(one.get("Sid") == sid for one in _decoded(document)["Statement"]):
        raise errors.statement_exists(sid)


def text_of(document: Document | Statement) -> str:
    """A policy or a statement as answers carry it: JSON without white space, its members in their order."""
    return msgspec.json.encode(document).decode()


def _decoded(document: str | None) -> Document:
    """A policy with its statements in a list; without one, that to which the first statement is added."""
    if document is None:
        return {"Version": VERSIONS[0], "Id": "default", "Statement": []}
    held: Document = msgspec.json.decode(document)
    statements = held["Statement"]
    return held | {"Statement": statements if isinstance(statements, list) else [statements]}


def _statement(request: Request, resource: str, principal: str | dict[str, str], condition: Statement) -> Statement:
    made = {
        "Sid": request["StatementId"],
        "Effect": "Allow",
        "Principal": principal,
        "Action": request["Action"],
        "Resource": resource,
    }
    return made | ({"Condition": condition} if condition else {})


def _principal(given: str) -> str | dict[str, str]:
    if given == "*":
        return given
    if _ACCOUNT.fullmatch(given):
        return {"AWS": arn("iam", "", given, "root")}
    if _IDENTITY.fullmatch(given):
        return {"AWS": given}
    if _SERVICE.fullmatch(given):
        return {"Service": given}
    raise errors.bad_principal()


def _condition(request: Request) -> dict[str, dict[str, str]]:
    """In the order in which AWS writes them."""
    equal = {
        "AWS:SourceAccount": request.get("SourceAccount"),
        "lambda:EventSourceToken": request.get("EventSourceToken"),
        "lambda:FunctionUrlAuthType": request.get("FunctionUrlAuthType"),
        "aws:PrincipalOrgID": request.get("PrincipalOrgID"),
    }
    via_url = request.get("InvokedViaFunctionUrl")
    tests = {
        "StringEquals": equal,
        "Bool": {"lambda:InvokedViaFunctionUrl": None if via_url is None else str(via_url).lower()},
        "ArnLike": {"AWS:SourceArn": request.get("SourceArn")},
    }
    given = {name: {key: value for key, value in keys.items() if value} for name, keys in tests.items()}
    return {name: keys for name, keys in given.items() if keys}
