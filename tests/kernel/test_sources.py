"""The road of sources: whoever has queues or streams says whether one exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lambent.kernel.sources import Sources

if TYPE_CHECKING:
    from lambent.kernel.arn import Arn

QUEUE = "arn:aws:sqs:us-east-1:000000000000:queue"


class Queues:
    """A source with one queue."""

    async def exists(self, arn: Arn) -> bool:
        return str(arn) == QUEUE


async def test_the_service_in_the_arn_is_asked() -> None:
    sources = Sources()
    sources.register("sqs", Queues())
    assert await sources.exists(QUEUE) is True
    assert await sources.exists(f"{QUEUE}-2") is False


async def test_nobody_knows_what_has_no_service_here() -> None:
    sources = Sources()
    assert await sources.exists(QUEUE) is None
    with pytest.raises(ValueError, match="not an ARN"):
        await sources.exists("queue")


def test_a_service_is_one_source() -> None:
    sources = Sources()
    sources.register("sqs", Queues())
    with pytest.raises(ValueError, match="sqs has a source already"):
        sources.register("sqs", Queues())
