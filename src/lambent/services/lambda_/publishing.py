"""How a version is published: a snapshot of `$LATEST` under the next number, or the last one where nothing changed.

A function on managed instances may be published to `$LATEST.PUBLISHED` instead, each time in place of the time before.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.services.lambda_ import capacity_providers, errors
from lambent.services.lambda_.records import CREATING, LATEST_PUBLISHED_NUMBER, Version
from lambent.services.lambda_.store import functions, versions

if TYPE_CHECKING:
    from lambent.kernel.call import Request
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records import Function
    from lambent.services.lambda_.records.configuration import Configuration
    from lambent.store.api import Transaction
    from lambent.store.blobs import Blobs


class Publication(msgspec.Struct, frozen=True):
    """What a new version needs that does not come from its function; made before the transaction."""

    revision: str
    """Of the version's configuration, so that its environments are its own."""
    revision_id: str
    function_revision_id: str
    """Publishing changes the RevisionId of `$LATEST` as well."""
    description: str | None = None
    """In place of the function's."""
    to_latest: bool = False
    """Whether it goes to `$LATEST.PUBLISHED`."""


def prepare(parts: Parts, request: Request, description: str | None = None) -> Publication:
    """The publication that `request` asks for with its PublishTo, with fresh revisions."""
    revisions = parts.ids.uuid(), parts.ids.uuid(), parts.ids.uuid()
    return Publication(*revisions, description, to_latest="PublishTo" in request)


def wanted(parts: Parts, request: Request) -> Publication | None:
    """The publication that a creation or an update asks for; None where it asks for none."""
    return prepare(parts, request) if request.get("Publish") else None


def publish(tx: Transaction, function: Function, publication: Publication, blobs: Blobs) -> Version:
    """The version that `function`, which the store has, is published as: the last one where nothing has changed since,
    otherwise a new one. A new one is pending while the function is, and until it has the snapshot that it asks for.

    Raises AWS's error where the function is not one that can be published so.
    """
    if publication.to_latest and function.configuration.instances is None:
        raise errors.published_by_number()
    number = LATEST_PUBLISHED_NUMBER if publication.to_latest else function.last_version
    last = versions.find(tx, function.key, number)
    if last is not None and _unchanged(last, function.configuration):
        return last
    capacity_providers.check_publishing(tx, function.configuration, replaces=publication.to_latest and last is not None)
    version = _new(function, publication)
    if publication.to_latest and last is not None:
        let_go(blobs, last)
    versions.put(tx, version)
    counted = max(version.number, function.last_version)
    revised = msgspec.structs.replace(function, last_version=counted, revision_id=publication.function_revision_id)
    functions.update(tx, revised)
    return version


def let_go(blobs: Blobs, version: Version) -> None:
    """What runs of a version that goes may still need its packages: they count as new from here on."""
    for digest in version.packages:
        blobs.touch(digest)


def retire_replaced(parts: Parts, version: Version) -> None:
    """Let no invocation meet an environment of what `version`, just published, has taken the place of."""
    if version.number == LATEST_PUBLISHED_NUMBER:
        parts.engine.retire(version.key.arn(), version.label, keep=version.configuration.revision)


def _new(function: Function, publication: Publication) -> Version:
    held = function.configuration
    description = held.description if publication.description is None else publication.description
    pending = held.ahead or not function.settled
    return Version(
        account=function.account,
        region=function.region,
        name=function.name,
        number=LATEST_PUBLISHED_NUMBER if publication.to_latest else function.last_version + 1,
        configuration=msgspec.structs.replace(held, revision=publication.revision, description=description),
        source_description=held.description,
        state="Pending" if pending else "Active",
        state_reason=CREATING if pending else None,
        state_reason_code="Creating" if pending else None,
        runtime_updates=function.runtime_updates,
        revision_id=publication.revision_id,
        modified_ms=function.modified_ms,
    )


def _unchanged(last: Version, held: Configuration) -> bool:
    published = msgspec.structs.replace(last.configuration, revision=held.revision, description=last.source_description)
    return published == held
