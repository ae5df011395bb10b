"""Web requests to function URLs, as they are sent and as they are answered: nothing is normalised or followed."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conftest import Server
    from tests.support import ServerProcess


class Answer(NamedTuple):
    """The answer to a web request."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        """The body, which is JSON."""
        return json.loads(self.body)


def visit(
    server: Server | ServerProcess,
    url: str,
    target: str = "/",
    *,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """Send one request to the host of `url`, which is this machine whether or not its names can be looked up."""
    place = urlsplit(server.endpoint)
    assert place.hostname is not None
    with closing(http.client.HTTPConnection(place.hostname, place.port, timeout=30)) as connection:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        sent = {"Host": urlsplit(url).netloc, **(headers or {})}
        if body is not None and "Transfer-Encoding" not in sent:
            sent.setdefault("Content-Length", str(len(body)))
        for name, value in sent.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())


def permit(client: Any, name: str = "f", **members: Any) -> None:
    """Let everybody use the URL of a function that asks nobody who they are."""
    client.add_permission(
        FunctionName=name,
        StatementId="url",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
        **members,
    )
    client.add_permission(
        FunctionName=name,
        StatementId="invoke",
        Action="lambda:InvokeFunction",
        Principal="*",
        InvokedViaFunctionUrl=True,
        **members,
    )


def publish_url(client: Any, name: str = "f", **members: Any) -> str:
    """Give a function a URL that everybody may use; returns it."""
    qualifier = {"Qualifier": members["Qualifier"]} if "Qualifier" in members else {}
    permit(client, name, **qualifier)
    made = client.create_function_url_config(**{"FunctionName": name, "AuthType": "NONE"} | members)
    url: str = made["FunctionUrl"]
    return url
