"""Tags: a role's keys are the same whatever their case, a policy's are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambent.kernel import limits
from lambent.services.iam import errors
from lambent.services.iam.rules import paging

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lambent.kernel.call import Request, Response


def given(tags: Iterable[Mapping[str, str]], *, folded: bool) -> dict[str, str]:
    """Tags as a request gives them, as a dict in their order. Raises AwsError for a key that comes twice."""
    pairs = [(tag["Key"], tag["Value"]) for tag in tags]
    if len({_key(key, folded) for key, _ in pairs}) < len(pairs):
        raise errors.duplicate_tags(folded)
    return dict(pairs)


def merged(present: Mapping[str, str], new: dict[str, str], *, folded: bool) -> dict[str, str]:
    """`present` with `new` in place of what has the same keys. Raises AwsError over the quota."""
    result = without(present, new, folded=folded) | new
    if len(result) > limits.IAM_TAGS:
        raise errors.too_many_tags()
    return result


def without(present: Mapping[str, str], keys: Iterable[str], *, folded: bool) -> dict[str, str]:
    """`present` less `keys`; a key that is not there does no harm."""
    gone = {_key(key, folded) for key in keys}
    return {key: value for key, value in present.items() if _key(key, folded) not in gone}


def shown(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as answers carry them."""
    return [_shown(item) for item in tags.items()]


def page(tags: Mapping[str, str], request: Request) -> Response:
    """A page of tags, by key."""
    items = sorted(tags.items())
    return paging.answer("Tags", paging.behind(items, request, _item_key), request, _item_key, _shown)


def _item_key(item: tuple[str, str]) -> str:
    return item[0]


def _shown(item: tuple[str, str]) -> dict[str, str]:
    return {"Key": item[0], "Value": item[1]}


def _key(key: str, folded: bool) -> str:
    return key.lower() if folded else key
