"""Published versions: numbered, immutable, and reachable wherever a qualifier is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lambent.kernel import limits
from tests.conftest import serving, settings_for
from tests.services.lambda_.calls import (
    create,
    create_managed,
    invoke,
    new,
    own_client,
    publish,
    refused,
    settle,
    settle_version,
)
from tests.services.lambda_.packages import package

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

STALE = (
    "The Revision Id provided does not match the latest Revision Id. "
    "Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
)


@pytest.fixture
def client(shared_lambent: Server) -> Any:
    return own_client(shared_lambent)


def numbers(client: Any, **members: Any) -> list[str]:
    pages = client.get_paginator("list_versions_by_function").paginate(FunctionName="f", **members)
    return [version["Version"] for page in pages for version in page["Versions"]]


def test_a_version_keeps_what_the_function_was(client: Any) -> None:
    created = create(client, "f", "version_one", Description="of the function")
    published = client.publish_version(FunctionName="f", Description="of the version")
    assert published["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert (published["Version"], published["Description"]) == ("1", "of the version")
    assert published["FunctionArn"] == f"{created['FunctionArn']}:1"
    assert (published["State"], published["LastUpdateStatus"]) == ("Active", "Successful")
    publish(client, "f", "version_two")
    client.update_function_configuration(FunctionName="f", Timeout=77)
    settle(client, "f")
    held = client.get_function_configuration(FunctionName="f", Qualifier="1")
    for answer in (held, published):
        del answer["ResponseMetadata"]
    assert held == published
    assert [invoke(client, "f", Qualifier=number) for number in ("1", "2")] == ["one", "two"]
    assert client.get_function(FunctionName="f:1")["Configuration"] == published


def test_what_has_not_changed_is_not_published_again(client: Any) -> None:
    create(client, "f")
    first = client.publish_version(FunctionName="f", Description="first")
    again = client.publish_version(FunctionName="f", Description="second")
    assert {**again, "ResponseMetadata": None} == {**first, "ResponseMetadata": None}
    assert again["ResponseMetadata"]["HTTPStatusCode"] == 201
    client.update_function_configuration(FunctionName="f", Description="changed")
    settle(client, "f")
    assert publish(client, "f") == "2"


def test_a_number_is_never_given_twice(client: Any) -> None:
    create(client, "f")
    assert publish(client, "f") == "1"
    client.delete_function(FunctionName="f", Qualifier="1")
    assert publish(client, "f") == "2"
    assert numbers(client) == ["$LATEST", "2"]


def test_publishing_gives_the_function_and_the_version_revisions_of_their_own(client: Any) -> None:
    before = create(client, "f")["RevisionId"]
    version = client.publish_version(FunctionName="f", RevisionId=before)["RevisionId"]
    after = client.get_function_configuration(FunctionName="f")["RevisionId"]
    assert len({before, version, after}) == 3
    assert client.get_function_configuration(FunctionName="f", Qualifier="1")["RevisionId"] == version
    assert refused(
        client, "PreconditionFailedException", client.publish_version, FunctionName="f", RevisionId=before
    ) == STALE  # fmt: skip


def test_only_the_code_that_the_caller_has_seen_is_published(client: Any) -> None:
    current = create(client, "f")["CodeSha256"]
    text = refused(
        client, "InvalidParameterValueException", client.publish_version, FunctionName="f", CodeSha256="another"
    )
    assert text == (
        f"CodeSHA256 (another) is different from current CodeSHA256 in $LATEST ({current}). "
        "Please try again with the CodeSHA256 in $LATEST."
    )
    assert publish(client, "f", CodeSha256=current) == "1"


def test_what_is_not_there_or_not_ready_is_not_published(client: Any) -> None:
    text = refused(client, "ResourceNotFoundException", client.publish_version, FunctionName="f")
    assert text.startswith("Function not found: arn:aws:lambda:us-east-1:")
    text = refused(client, "ResourceNotFoundException", client.list_versions_by_function, FunctionName="f")
    assert text.startswith("Function not found: arn:aws:lambda:us-east-1:")


def test_a_function_can_be_published_as_it_is_created(client: Any) -> None:
    created = client.create_function(**new("f", Publish=True))
    assert (created["Version"], created["State"]) == ("1", "Pending")
    assert created["FunctionArn"].endswith(":function:f")
    assert "LastUpdateStatus" not in created
    client.get_waiter("published_version_active").wait(
        FunctionName="f", Qualifier="1", WaiterConfig={"Delay": 0, "MaxAttempts": 10_000}
    )
    held = client.get_function_configuration(FunctionName="f", Qualifier="1")
    assert (held["State"], held["LastUpdateStatus"]) == ("Active", "Successful")
    assert publish(client, "f") == "1"


def test_a_function_can_be_published_as_it_is_updated(client: Any) -> None:
    create(client, "f", "version_one")
    updated = client.update_function_code(FunctionName="f", ZipFile=package("version_two"), Publish=True)
    assert (updated["Version"], updated["State"], updated["StateReasonCode"]) == ("1", "Pending", "Creating")
    assert updated["FunctionArn"].endswith(":f:1")
    assert "LastUpdateStatus" not in updated
    assert invoke(client, "f", Qualifier="1") == "two"
    settle(client, "f")
    assert client.get_function_configuration(FunctionName="f", Qualifier="1")["State"] == "Active"


def test_versions_are_listed_in_pages(client: Any) -> None:
    create(client, "f")
    for number in range(5):
        client.update_function_configuration(FunctionName="f", Timeout=10 + number)
        settle(client, "f")
        publish(client, "f")
    expected = ["$LATEST", "1", "2", "3", "4", "5"]
    assert numbers(client) == expected
    assert numbers(client, PaginationConfig={"PageSize": 2}) == expected
    listed = client.list_versions_by_function(FunctionName="f", MaxItems=1)["Versions"][0]
    assert listed["FunctionArn"].endswith(":f:$LATEST")
    assert not {"State", "LastUpdateStatus", "RuntimeVersionConfig"} & listed.keys()


def test_functions_are_listed_with_all_their_versions_where_that_is_asked_for(client: Any) -> None:
    for name in ("a", "b"):
        create(client, name)
        publish(client, name)
    expected = [("a", "$LATEST"), ("a", "1"), ("b", "$LATEST"), ("b", "1")]
    for size in (50, 1, 3):
        pages = client.get_paginator("list_functions").paginate(
            FunctionVersion="ALL", PaginationConfig={"PageSize": size}
        )
        found = [function for page in pages for function in page["Functions"]]
        assert [(function["FunctionName"], function["Version"]) for function in found] == expected
        assert [function["FunctionArn"].rpartition(":")[2] for function in found] == [label for _, label in expected]


@pytest.mark.parametrize("marker", ["not a marker", "WyJhIl0", "W10", "WzE4NDQ2NzQ0MDczNzA5NTUxNjE2XQ"])
def test_a_marker_of_somebody_else_is_refused(client: Any, marker: str) -> None:
    create(client, "f")
    refused(
        client,
        "InvalidParameterValueException",
        client.list_versions_by_function,
        FunctionName="f",
        Marker=marker,
    )


@pytest.mark.parametrize("qualifier", ["2", "01", "0", "9" * 100, "live", "-1"])
def test_a_version_that_is_not_there_is_not_found(client: Any, qualifier: str) -> None:
    create(client, "f")
    publish(client, "f")
    for call in (client.get_function, client.get_function_configuration, client.invoke):
        text = refused(client, "ResourceNotFoundException", call, FunctionName="f", Qualifier=qualifier)
        assert text.endswith(f":f:{qualifier}")


def test_the_answer_and_the_context_say_which_version_ran(client: Any) -> None:
    create(client, "f", "context")
    publish(client, "f")
    assert client.invoke(FunctionName="f", Qualifier="1")["ExecutedVersion"] == "1"
    context = invoke(client, "f:1")["context"]
    assert context["function_version"] == "1"
    assert context["invoked_function_arn"].endswith(":f:1")
    assert "/[1]" in context["log_stream_name"]


def test_a_version_is_deleted_alone_and_the_function_with_all_of_them(client: Any) -> None:
    create(client, "f", "version_one")
    publish(client, "f")
    publish(client, "f", "version_two")
    client.delete_function(FunctionName="f", Qualifier="1")
    assert numbers(client) == ["$LATEST", "2"]
    client.delete_function(FunctionName="f")
    client.create_function(**new("f"))
    assert numbers(client) == ["$LATEST"]
    refused(client, "ResourceNotFoundException", client.invoke, FunctionName="f", Qualifier="2")


def test_a_version_that_an_alias_points_to_stays(client: Any) -> None:
    create(client, "f")
    publish(client, "f")
    publish(client, "f", "other")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    client.create_alias(
        FunctionName="f",
        Name="canary",
        FunctionVersion="2",
        RoutingConfig={"AdditionalVersionWeights": {"1": 0.5}},
    )
    text = refused(client, "ResourceConflictException", client.delete_function, FunctionName="f", Qualifier="1")
    assert text == "Unable to delete version because the following aliases reference it: [canary, live]"
    assert numbers(client) == ["$LATEST", "1", "2"]


def test_versions_survive_a_restart(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path)) as server:
        client = server.client("lambda")
        create(client, "f", "version_one")
        publish(client, "f")
        client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
        before = client.get_function_configuration(FunctionName="f", Qualifier="live")
    with serving(settings_for(tmp_path)) as server:
        client = server.client("lambda")
        after = client.get_function_configuration(FunctionName="f", Qualifier="live")
        assert {**after, "ResponseMetadata": None} == {**before, "ResponseMetadata": None}
        assert invoke(client, "f", Qualifier="live") == "one"


def test_a_warm_invocation_of_a_version_asks_no_database(lambent: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LOG_FLUSH_S", 600)  # the logs of invocations are stored on their own time
    client = lambent.client("lambda")
    create(client, "f")
    publish(client, "f")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    for qualifier in ("1", "live"):
        invoke(client, "f", Qualifier=qualifier)
    before = lambent.app.store.statements
    for number in range(20):
        assert invoke(client, "f", number, Qualifier="live" if number % 2 else "1") == number
    assert lambent.app.store.statements == before


def test_an_update_leaves_the_environments_of_versions_as_they_are(client: Any) -> None:
    create(client, "f", "counter")
    publish(client, "f")
    assert invoke(client, "f", Qualifier="1") == {"counter": 0}
    client.update_function_configuration(FunctionName="f", Timeout=9)
    settle(client, "f")
    assert invoke(client, "f") == {"counter": 0}
    assert invoke(client, "f", Qualifier="1") == {"counter": 1}


def test_latest_published_is_replaced_by_each_publication(client: Any) -> None:
    create_managed(client, "f", "version_one")
    first = client.publish_version(FunctionName="f", PublishTo="LATEST_PUBLISHED")
    assert first["Version"] == "$LATEST.PUBLISHED"
    assert first["FunctionArn"].endswith(":f:$LATEST.PUBLISHED")
    assert client.publish_version(FunctionName="f", PublishTo="LATEST_PUBLISHED")["RevisionId"] == first["RevisionId"]
    client.update_function_code(
        FunctionName="f", ZipFile=package("version_two"), Publish=True, PublishTo="LATEST_PUBLISHED"
    )
    settle(client, "f")
    held = settle_version(client, "f", "$LATEST.PUBLISHED")
    assert (held["State"], held["CodeSha256"]) == ("Active", settle(client, "f")["CodeSha256"])
    assert held["CodeSha256"] != first["CodeSha256"]


def test_latest_published_stands_beside_the_numbers(client: Any) -> None:
    create_managed(client, "f")
    assert client.publish_version(FunctionName="f")["Version"] == "1"
    client.publish_version(FunctionName="f", PublishTo="LATEST_PUBLISHED")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="$LATEST.PUBLISHED")
    client.update_function_configuration(FunctionName="f", Timeout=9)
    settle(client, "f")
    assert client.publish_version(FunctionName="f")["Version"] == "2"
    assert numbers(client, PaginationConfig={"PageSize": 1}) == ["$LATEST", "$LATEST.PUBLISHED", "1", "2"]
    listed = client.get_paginator("list_functions").paginate(FunctionVersion="ALL", PaginationConfig={"PageSize": 1})
    assert [one["Version"] for part in listed for one in part["Functions"]] == numbers(client)
    assert "live" in refused(
        client,
        "ResourceConflictException",
        client.delete_function,
        FunctionName="f",
        Qualifier="$LATEST.PUBLISHED",
    )


def test_latest_published_is_for_functions_on_managed_instances(client: Any) -> None:
    create(client, "f")
    for call, members in (
        (client.publish_version, {"FunctionName": "f"}),
        (client.update_function_code, {"FunctionName": "f", "ZipFile": package("version_two"), "Publish": True}),
        (client.create_function, new("g", Publish=True)),
    ):
        refused(client, "InvalidParameterValueException", call, **members, PublishTo="LATEST_PUBLISHED")
    assert numbers(client) == ["$LATEST"]
    assert [one["FunctionName"] for one in client.list_functions()["Functions"]] == ["f"]
