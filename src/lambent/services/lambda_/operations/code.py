"""UpdateFunctionCode."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.services.lambda_ import changes, errors, packages, publishing
from lambent.services.lambda_.rules import answers

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records.configuration import Configuration


async def update_function_code(call: Call[Parts], request: Request) -> Response:
    """Give a function another package, and publish it where that is asked for.

    https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionCode.html
    """
    parts = call.parts
    key = changes.key_of(call, request["FunctionName"])
    seen = request.get("RevisionId")
    function = await changes.changeable(call, key, seen)
    if "ImageUri" in request:
        raise errors.invalid("Please don't provide ImageUri when updating a function with packageType Zip.")
    architecture = request.get("Architectures", [function.configuration.architecture])[0]
    refusal = await parts.engine.refusal(function.configuration.runtime)
    if refusal is not None:
        raise errors.invalid(refusal)
    package = await packages.receive(call, request)
    await packages.check_size(parts, package.digest, function.configuration.layers)
    revision = parts.ids.uuid()

    def edit(old: Configuration) -> Configuration:
        return msgspec.structs.replace(
            old,
            revision=revision,
            code_sha256=package.digest,
            code_size=package.size,
            architecture=architecture,
        )

    if request.get("DryRun"):
        trial = msgspec.structs.replace(function, configuration=edit(function.configuration))
        return answers.configuration(trial)
    publication = publishing.wanted(parts, request)
    accepted = await changes.accept(call, key, seen, edit, publication)
    return answers.configuration(accepted, None if publication is None else accepted.label)
