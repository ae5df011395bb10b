"""Plays what AWS answered, call by call, in an account and compares member by member; see `iam/recorded/README.md`."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.services.account import Account

FORMS = {
    "access key": r"ASIA[A-Z2-7]{16}",
    "marker": r".+",
    "number": r"\d+",
    "policy id": r"ANPA[A-Z2-7]{17}",
    "role id": r"AROA[A-Z2-7]{17}",
    "secret": r"[A-Za-z0-9+/]{40}",
    "token": r"[A-Za-z0-9+/]{200,}={0,2}",
}
PLACE = re.compile(r"<([a-z][a-z ]*?)(?: \d+)?>")
DOCUMENTS = ("AssumeRolePolicyDocument", "PolicyDocument")


def scenarios(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The calls of every scenario in `folder`, with its bases and documents filled in, by name."""
    named = json.loads((folder / "bases.json").read_text())
    return {
        f"{file.stem}: {scenario['name']}": [filled(call, named) for call in scenario["calls"]]
        for file in sorted(folder.glob("*.scenarios.json"))
        for scenario in json.loads(file.read_text())
    }


def filled(value: Any, named: dict[str, Any]) -> Any:
    """`value` with `{"like": name, ...}` replaced by what is named so, changed by the rest; null removes a member."""
    if isinstance(value, list):
        return [filled(part, named) for part in value]
    if not isinstance(value, dict):
        return value
    base = filled(named[value["like"]], named) if "like" in value else {}
    changed = base | {name: filled(part, named) for name, part in value.items() if name != "like"}
    return {name: part for name, part in changed.items() if part is not None}


class Replay:
    """One scenario in one account; what has been seen in a place is the same when it comes again."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._seen: dict[str, Any] = {}
        self._clients: dict[tuple[str, ...], Any] = {}

    def play(self, calls: list[dict[str, Any]]) -> None:
        """Make every call and compare what comes."""
        for number, call in enumerate(calls, start=1):
            self._call(call, f"call {number}, {call['call']}")

    def _call(self, call: dict[str, Any], where: str) -> None:
        service, operation = call["call"].split(".")
        call = self._placed(call)
        client = self._client(service, self._identity(call))
        request = {name: self._given(name, value) for name, value in call.get("with", {}).items()}
        if "error" not in call:
            answer = getattr(client, operation)(**request)
            metadata = answer.pop("ResponseMetadata")
            assert metadata["HTTPStatusCode"] == 200, where
            self._match(call.get("answer", {}), answer, where)
            return
        with pytest.raises(ClientError) as caught:
            getattr(client, operation)(**request)
        response = caught.value.response
        # The JSON protocol does not say whose fault it was.
        fault = {} if client.meta.service_model.resolved_protocol == "json" else {"Type": "Sender"}
        assert response["Error"] == fault | {"Code": call["error"], "Message": call["message"]}, where
        assert response["ResponseMetadata"]["HTTPStatusCode"] == call["status"], where

    def _client(self, service: str, identity: dict[str, str]) -> Any:
        key = (service, *identity.values())
        if key not in self._clients:
            config = Config(parameter_validation=False)
            self._clients[key] = self._account.client(service, config=config, **identity)
        return self._clients[key]

    def _placed(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._placed(part) for name, part in value.items()}
        if isinstance(value, list):
            return [self._placed(part) for part in value]
        return value.replace("{account}", self._account.number) if isinstance(value, str) else value

    def _identity(self, call: dict[str, Any]) -> dict[str, str]:
        if "as" not in call:
            return {}
        members = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
        return dict(zip(members, (self._seen[place] for place in call["as"]), strict=True))

    def _given(self, name: str, value: Any) -> Any:
        if name in DOCUMENTS and isinstance(value, dict):
            return json.dumps(value)
        return self._seen.get(value, value) if isinstance(value, str) else value

    def _match(self, expected: Any, actual: Any, where: str) -> None:
        if isinstance(expected, dict):
            assert isinstance(actual, dict), f"{where}: {actual!r}"
            assert sorted(actual) == sorted(expected), where
            for name, part in expected.items():
                self._match(part, actual[name], f"{where}: {name}")
        elif isinstance(expected, list):
            assert isinstance(actual, list), f"{where}: {actual!r}"
            assert len(actual) == len(expected), f"{where}: {actual!r}"
            for part, one in zip(expected, actual, strict=True):
                self._match(part, one, where)
        elif expected == "<date>":
            assert isinstance(actual, datetime), f"{where}: {actual!r}"
            assert actual.tzinfo is not None, where
            assert abs((datetime.now(UTC) - actual).total_seconds()) < 10_000, where
        elif isinstance(expected, str) and PLACE.search(expected):
            self._match_place(expected, actual, where)
        else:
            assert actual == expected, where

    def _match_place(self, expected: str, actual: Any, where: str) -> None:
        parts = PLACE.split(expected)
        form = "".join(FORMS[part] if number % 2 else re.escape(part) for number, part in enumerate(parts))
        assert re.fullmatch(form, str(actual)), f"{where}: {actual!r} is not {expected!r}"
        if PLACE.fullmatch(expected):
            assert self._seen.setdefault(expected, actual) == actual, f"{where}: another value of {expected}"
