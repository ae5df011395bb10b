"""PublishVersion and ListVersionsByFunction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits, page
from lambent.services.lambda_ import changes, errors, markers, publishing, room
from lambent.services.lambda_.rules import answers, names
from lambent.services.lambda_.store import functions, versions

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records import Function, Version
    from lambent.store.api import Transaction


async def publish_version(call: Call[Parts], request: Request) -> Response:
    """Give `$LATEST` as it is now the next number; where nothing has changed since the last one, answer that.

    https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html
    """
    key = changes.key_of(call, request["FunctionName"])
    publication = publishing.prepare(call.parts, request, request.get("Description"))

    def work(tx: Transaction) -> Version:
        function = changes.checked(functions.find(tx, key), key, request.get("RevisionId"))
        current = answers.sha256(function.configuration.code_sha256)
        if request.get("CodeSha256") and request["CodeSha256"] != current:
            raise errors.other_code(request["CodeSha256"], current)
        version = publishing.publish(tx, function, publication, call.parts.blobs)
        room.check(tx, call)
        return version

    version = await call.parts.directory.change(key, work)
    publishing.retire_replaced(call.parts, version)
    return answers.configuration(version, version.label)


async def list_versions_by_function(call: Call[Parts], request: Request) -> Response:
    """A page of a function's versions: `$LATEST` first, then the published ones by number.

    https://docs.aws.amazon.com/lambda/latest/api/API_ListVersionsByFunction.html
    """
    key, _ = names.parse(call, request["FunctionName"])
    size = min(request.get("MaxItems", limits.FUNCTIONS_LISTED), limits.FUNCTIONS_LISTED)
    after = markers.number(request.get("Marker"), call.operation)

    def work(tx: Transaction) -> list[Function | Version]:
        function = functions.find(tx, key)
        if function is None:
            raise errors.not_found(key)
        return [
            *([function] if after is None else []),
            *versions.page(tx, key, versions.FIRST if after is None else after, size + 1),
        ]

    found = await call.parts.store.read(work)
    shown, marker = page.cut(found, size, lambda one: [versions.number(one)])
    return {"Versions": [answers.listed(one, one.label) for one in shown], "NextMarker": marker}
