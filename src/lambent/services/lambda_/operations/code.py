"""UpdateFunctionCode."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.services.lambda_ import changes, packages, publishing, signing
from lambent.services.lambda_.rules import answers, checks, configuration

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
    held = function.configuration
    checks.check_code(request, held.package_type, "updating")
    architecture = request.get("Architectures", [held.architecture])[0]
    await packages.check_runtime(parts, held.runtime)
    await signing.check(parts, key)
    package = await packages.receive_code(call, request, held.package_type)
    revision = parts.ids.uuid()
    weights = await packages.weigh(parts, configuration.repackaged(held, package, revision))

    def edit(old: Configuration) -> Configuration:
        """Checked when it is accepted as well: an update may have come in between, with other layers."""
        new = msgspec.structs.replace(configuration.repackaged(old, package, revision), architecture=architecture)
        packages.check_weight(parts, weights, new)
        return new

    edit(held)

    if request.get("DryRun"):
        trial = msgspec.structs.replace(function, configuration=edit(function.configuration))
        return answers.configuration(trial)
    publication = publishing.wanted(parts, request)
    accepted = await changes.accept(call, key, seen, edit, publication)
    return answers.configuration(accepted, None if publication is None else accepted.label)
