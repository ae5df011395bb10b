"""How a version is published: a snapshot of `$LATEST` under the next number, or the last one where nothing changed.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.services.lambda_.records import CREATING, Version
from lambent.services.lambda_.store import functions, versions

if TYPE_CHECKING:
    from lambent.services.lambda_.parts import Parts
    from lambent.services.lambda_.records import Function
    from lambent.services.lambda_.records.configuration import Configuration
    from lambent.store.api import Transaction


class Publication(msgspec.Struct, frozen=True):
    """What a new version needs that does not come from its function; made before the transaction."""

    revision: str
    """Of the version's configuration, so that its environments are its own."""
    revision_id: str
    function_revision_id: str
    """Publishing changes the RevisionId of `$LATEST` as well."""
    description: str | None = None
    """In place of the function's."""


def prepare(parts: Parts, description: str | None = None) -> Publication:
    """A publication with fresh revisions."""
    return Publication(parts.ids.uuid(), parts.ids.uuid(), parts.ids.uuid(), description)


def publish(tx: Transaction, function: Function, publication: Publication) -> Version:
    """The version that `function`, which the store has, is published as: the last one where nothing has changed since,
    otherwise a new one. A new one is pending while the function is, and until it has the snapshot that it asks for."""
    last = versions.find(tx, function.key, function.last_version)
    if last is not None and _unchanged(last, function.configuration):
        return last
    version = _new(function, publication)
    versions.insert(tx, version)
    functions.update(
        tx,
        msgspec.structs.replace(function, last_version=version.number, revision_id=publication.function_revision_id),
    )
    return version


def _new(function: Function, publication: Publication) -> Version:
    held = function.configuration
    description = held.description if publication.description is None else publication.description
    pending = held.snapshots or not function.settled
    return Version(
        account=function.account,
        region=function.region,
        name=function.name,
        number=function.last_version + 1,
        configuration=msgspec.structs.replace(held, revision=publication.revision, description=description),
        source_description=held.description,
        state="Pending" if pending else "Active",
        state_reason=CREATING if pending else None,
        state_reason_code="Creating" if pending else None,
        revision_id=publication.revision_id,
        modified_ms=function.modified_ms,
    )


def _unchanged(last: Version, held: Configuration) -> bool:
    published = msgspec.structs.replace(last.configuration, revision=held.revision, description=last.source_description)
    return published == held
