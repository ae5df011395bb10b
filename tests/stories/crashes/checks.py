"""What must hold of a server that is started on a crash image."""

from __future__ import annotations

import base64
import hashlib
import os
from typing import TYPE_CHECKING, Any

from tests.stories.crashes import rows
from tests.stories.crashes.scenario import OK
from tests.stories.crashes.server import halting

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stories.crashes.recording import Image
    from tests.stories.crashes.scenario import Actor, Play

LONG_AGO = (1_000_000_000, 1_000_000_000)
NOTHING = {"TotalCodeSize": 0, "FunctionCount": 0}


def verify(image: Image, actors: list[Actor]) -> None:
    """Start a server on the image: each call has had its whole effect or none, and one that was answered has had it;
    what was under way comes to its end, each call can be made again, and nothing stays of what is deleted."""
    with halting(image.folder) as server:
        rows.until(image.folder, rows.queued)
        # First everybody only looks: what was under way comes to its end without anybody's call.
        seen = {actor.account: _seen(actor.on(server.endpoint), image) for actor in actors}
        for actor in actors:
            if actor.account in image.answered:
                server.wait(lambda actor=actor: actor.runs <= server.ran | image.ran)
        for actor in actors:
            _call_again(actor.on(server.endpoint), seen[actor.account], image)
        rows.until(image.folder, rows.queued)
        mine = [actor for actor in actors if actor.scenario.service == "lambda"]
        for actor in mine:
            _check_packages(actor.on(server.endpoint), image.folder)
            _delete_all(actor.on(server.endpoint))
        rows.until(image.folder, rows.left_of({actor.account for actor in mine}))
        for path in image.folder.glob("blobs/*/*"):
            os.utime(path, LONG_AGO)
        server.sweep()
    _check_files(image.folder)


def _seen(play: Play, image: Image) -> list[str]:
    """What can be seen of the call, which is all of it or, where it was not answered, nothing."""
    actor = play.actor
    allowed = [actor.after] if actor.account in image.answered else [actor.before, actor.after]
    return play.until(lambda seen: seen in allowed)


def _call_again(play: Play, seen: list[str], image: Image) -> None:
    """Make the call, of which that has been seen, once more: it does what it does where nobody was killed."""
    actor = play.actor
    outcome, _ = play.attempt(actor.scenario.call)
    if actor.scenario.once and outcome != OK:
        return
    undone, done = seen == actor.before, seen == actor.after
    wanted = ({actor.outcome} if undone else set()) | ({actor.again} if done else set())
    assert outcome in wanted, f"{actor.scenario.name} is answered with {outcome} after {image.moment}, not {wanted}"
    if undone:
        play.until(lambda seen: seen == actor.after)


def _check_packages(play: Play, folder: Path) -> None:
    """The package of each function, version and layer is whole, and those of the account add up."""
    client = play.client("lambda")
    functions = client.list_functions(FunctionVersion="ALL")["Functions"]
    packages = [*functions, *(layer["Content"] for layer in _layers(client))]
    for held in packages:
        digest = base64.b64decode(held["CodeSha256"]).hex()
        content = (folder / "blobs" / digest[:2] / digest).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (digest, held["CodeSize"])
    latest = [function for function in functions if function["Version"] == "$LATEST"]
    usage = client.get_account_settings()["AccountUsage"]
    assert usage == {"TotalCodeSize": sum(held["CodeSize"] for held in packages), "FunctionCount": len(latest)}


def _layers(client: Any) -> list[dict[str, Any]]:
    return [
        client.get_layer_version(LayerName=layer["LayerName"], VersionNumber=version["Version"])
        for layer in client.list_layers()["Layers"]
        for version in client.list_layer_versions(LayerName=layer["LayerName"])["LayerVersions"]
    ]


def _delete_all(play: Play) -> None:
    """Delete whatever the account has; it has nothing then."""
    client = play.client("lambda")
    for mapping in client.list_event_source_mappings()["EventSourceMappings"]:
        if mapping["State"] != "Deleting":
            client.delete_event_source_mapping(UUID=mapping["UUID"])
    for function in client.list_functions()["Functions"]:
        client.delete_function(FunctionName=function["FunctionName"])
    for layer in _layers(client):
        client.delete_layer_version(LayerName="l", VersionNumber=layer["Version"])
    for config in client.list_code_signing_configs()["CodeSigningConfigs"]:
        client.delete_code_signing_config(CodeSigningConfigArn=config["CodeSigningConfigArn"])
    for provider in client.list_capacity_providers()["CapacityProviders"]:
        if provider["State"] != "Deleting":
            client.delete_capacity_provider(CapacityProviderName="mine")
    assert client.get_account_settings()["AccountUsage"] == NOTHING


def _check_files(folder: Path) -> None:
    """Nothing is kept of packages that no row names."""
    records = rows.packages(folder)
    assert [path for path in folder.glob("blobs/*/*") if path.name not in records] == []
    assert [path for path in folder.glob("code/*/*") if path.name not in records] == []
