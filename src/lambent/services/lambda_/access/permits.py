"""Who may do what with functions and layers of an account: somebody of the account itself anything, everybody else
what a policy of the function or the layer says.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-permissions.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import access
from lambent.services.lambda_.store import layer_permissions

if TYPE_CHECKING:
    from lambent.kernel.access import Requester
    from lambent.kernel.authority import Principal
    from lambent.kernel.conditions import Context
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records import FunctionKey, LayerKey


async def may_invoke(
    parts: Parts, key: FunctionKey, qualifier: str | None, requester: Requester, action: str, context: Context
) -> bool:
    """Whether a policy of the function lets `requester` do `action` (`lambda:InvokeFunction`) to it, or to its version
    or alias `qualifier`. That nobody needs who is of the function's own account, unless a policy denies it to them.

    `context` holds what is known of the request by condition key in lower case (`aws:sourcearn`,
    `lambda:functionurlauthtype`); who asks and when comes from here. A function that is not there has no policies.
    """
    held = await parts.directory.policies(key)
    question = access.Question(
        requester=requester,
        action=action,
        resource=key.arn(qualifier),
        context=access.known_of(requester, parts.clock.time()) | dict(context),
    )
    said = access.answer((*held.get("", ()), *held.get(qualifier or "", ())), question)
    own = requester.principal is not None and requester.principal.account == key.account
    return said == "Allow" or (own and said != "Deny")


async def may_use_layer(parts: Parts, key: LayerKey, number: int, principal: Principal) -> bool:
    """Whether `principal` may read the layer version and give it to functions: it is of the layer's account, or the
    policy of the layer version says so."""
    if principal.account == key.account:
        return True
    policy = await parts.store.read(lambda tx: layer_permissions.find(tx, key, number))
    if policy is None:
        return False
    requester = access.Requester(principal=principal)
    question = access.Question(
        requester=requester,
        action="lambda:GetLayerVersion",
        resource=key.arn(number),
        context=access.known_of(requester, parts.clock.time()),
    )
    return access.answer(access.statements(policy.document), question) == "Allow"
