"""GetFunctionConfiguration and UpdateFunctionConfiguration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.services.lambda_ import changes, layering, packages, roles, signing
from lambent.services.lambda_.operations.function import existing
from lambent.services.lambda_.rules import answers, checks, configuration

if TYPE_CHECKING:
    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records.configuration import Configuration


async def get_function_configuration(call: Call[Parts], request: Request) -> Response:
    """A function's configuration alone.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html
    """
    found = await existing(call, request)
    return answers.configuration(found.held, found.qualifier)


async def update_function_configuration(call: Call[Parts], request: Request) -> Response:
    """Change what is given and leave the rest.

    https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html
    """
    parts = call.parts
    key = changes.key_of(call, request["FunctionName"])
    seen = request.get("RevisionId")
    held = (await changes.changeable(call, key, seen)).configuration
    checks.check_update(request, held)
    used = await layering.used(call, request["Layers"]) if "Layers" in request else None
    weights = await packages.weigh(parts, held, used)
    revision = parts.ids.uuid()

    def edit(old: Configuration) -> Configuration:
        """Checked here and again when it is accepted: an update may have come in between."""
        new = configuration.changed(old, request, revision, used)
        checks.check_whole(new)
        packages.check_weight(parts, weights, new)
        return new

    edit(held)
    if used:
        await signing.check(parts, key)
    if "Role" in request:
        await roles.check(parts, call.account, request["Role"])
    await packages.check_runtime(parts, request.get("Runtime", ""))
    return answers.configuration(await changes.accept(call, key, seen, edit))
