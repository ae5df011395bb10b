"""TagResource, UntagResource and ListTags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel.arn import Arn
from lambent.services.lambda_ import tagging
from lambent.services.lambda_.errors import tags as errors
from lambent.services.lambda_.records import FunctionKey
from lambent.services.lambda_.rules import names, tags

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.kernel.call import Call, Request, Response
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.tagging import Tagged
    from lambent.store.api import Transaction


async def tag_resource(call: Call[Parts], request: Request) -> None:
    """Add tags to a resource, or give those with the same keys new values.

    https://docs.aws.amazon.com/lambda/latest/api/API_TagResource.html
    """
    await _change(call, request, lambda held: tags.added(held, request["Tags"]))


async def untag_resource(call: Call[Parts], request: Request) -> None:
    """Remove tags by their keys; those that are not there are no error.

    https://docs.aws.amazon.com/lambda/latest/api/API_UntagResource.html
    """
    removed = set(request["TagKeys"])
    await _change(call, request, lambda held: {key: value for key, value in held.items() if key not in removed})


async def list_tags(call: Call[Parts], request: Request) -> Response:
    """The tags of a resource.

    https://docs.aws.amazon.com/lambda/latest/api/API_ListTags.html
    """
    arn, tagged = _resource(call, request)
    return {"Tags": await call.parts.store.read(lambda tx: tagged.read(tx, arn))}


async def _change(call: Call[Parts], request: Request, edit: Callable[[dict[str, str]], dict[str, str]]) -> None:
    """Keep what `edit` makes of the tags. Only for functions it matters to others that something has changed."""
    arn, tagged = _resource(call, request)
    revision_id = call.parts.ids.uuid()

    def work(tx: Transaction) -> None:
        tagged.write(tx, arn, edit(tagged.read(tx, arn)), revision_id)

    if tagging.kind_of(arn) == "function":
        await call.parts.directory.change(FunctionKey(arn.account, arn.region, arn.resource.split(":")[1]), work)
    else:
        await call.parts.store.write(work)


def _resource(call: Call[Parts], request: Request) -> tuple[Arn, Tagged]:
    """The resource that the request names, and how it keeps tags. Raises AWS's errors for what is not the caller's."""
    arn = Arn.parse(request["Resource"])
    kind = tagging.kind_of(arn)
    if kind == "function":
        _, qualifier = names.parse(call, request["Resource"])
        if qualifier is not None:
            raise errors.functions_only()
    elif arn.account != call.account:
        raise errors.other_account(call.principal.arn, call.operation, arn)
    elif arn.region != call.region:
        raise errors.not_found()
    if kind not in tagging.TAGGED:  # a network connector, which no operation makes
        raise errors.not_found()
    return arn, tagging.TAGGED[kind]
