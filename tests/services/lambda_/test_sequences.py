"""Random sequences of changes against a small model of versions, aliases and revisions."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.services.lambda_.calls import create, own_client, settle

if TYPE_CHECKING:
    from tests.conftest import Server

NAMES = some.sampled_from(["a", "b"])
LABELS = some.sampled_from(["$LATEST", "1", "2", "3", "9"])
NUMBERS = some.sampled_from(["1", "2", "3", "9"])
TIMEOUTS = some.integers(3, 5)
_names = itertools.count()


class Machine(RuleBasedStateMachine):
    """A function, and what the model says that it, its versions and its aliases are."""

    client: Any

    @initialize()
    def begin(self) -> None:
        self.name = f"f{next(_names)}"
        self.revision = create(self.client, self.name)["RevisionId"]
        self.timeout = 3
        self.versions: dict[str, int] = {}
        self.last = 0
        self.published: int | None = None
        self.aliases: dict[str, tuple[str, dict[str, float]]] = {}
        self.revisions: dict[str, str] = {}

    def tried(self, call: Any, **members: Any) -> Any | None:
        """The answer; None where AWS refuses."""
        try:
            return call(FunctionName=self.name, **members)
        except self.client.exceptions.ClientError:
            return None

    def there(self, *labels: str) -> bool:
        return all(label == "$LATEST" or label in self.versions for label in labels)

    @rule(timeout=TIMEOUTS, publish=some.booleans())
    def update(self, timeout: int, publish: bool) -> None:
        self.client.update_function_configuration(FunctionName=self.name, Timeout=timeout)
        held = settle(self.client, self.name)
        assert held["RevisionId"] != self.revision
        self.revision, self.timeout = held["RevisionId"], timeout
        if publish:
            self.publish(seen=True)

    @rule(seen=some.booleans())
    def publish(self, seen: bool) -> None:
        answer = self.tried(self.client.publish_version, RevisionId=self.revision if seen else "stale")
        assert (answer is not None) == seen
        if answer is None:
            return
        if str(self.last) not in self.versions or self.published != self.timeout:
            self.last += 1
            self.published = self.timeout
            self.versions[str(self.last)] = self.timeout
            self.revision = self.client.get_function_configuration(FunctionName=self.name)["RevisionId"]
        assert answer["Version"] == str(self.last)

    @rule(number=NUMBERS)
    def delete_version(self, number: str) -> None:
        used = any(number in (version, *weights) for version, weights in self.aliases.values())
        answer = self.tried(self.client.delete_function, Qualifier=number)
        assert (answer is None) == (used and number in self.versions)
        if answer is not None:
            self.versions.pop(number, None)

    @rule(name=NAMES, label=LABELS, other=some.none() | NUMBERS)
    def create_alias(self, name: str, label: str, other: str | None) -> None:
        weights = {} if other is None else {other: 0.5}
        answer = self.tried(
            self.client.create_alias,
            Name=name,
            FunctionVersion=label,
            RoutingConfig={"AdditionalVersionWeights": weights},
        )
        allowed = self.allowed(label, weights) and name not in self.aliases
        assert (answer is not None) == allowed
        if answer is not None:
            self.aliases[name], self.revisions[name] = (label, weights), answer["RevisionId"]

    @rule(name=NAMES, label=some.none() | LABELS, other=some.none() | NUMBERS, routed=some.booleans())
    def update_alias(self, name: str, label: str | None, other: str | None, routed: bool) -> None:
        version, weights = self.aliases.get(name, ("", {}))
        version = label or version
        members: dict[str, Any] = {} if label is None else {"FunctionVersion": label}
        if routed:
            weights = {} if other is None else {other: 0.5}
            members["RoutingConfig"] = {"AdditionalVersionWeights": weights}
        answer = self.tried(self.client.update_alias, Name=name, **members)
        assert (answer is not None) == (name in self.aliases and self.allowed(version, weights))
        if answer is not None:
            assert answer["RevisionId"] != self.revisions[name]
            self.aliases[name], self.revisions[name] = (version, weights), answer["RevisionId"]

    def allowed(self, label: str, weights: dict[str, float]) -> bool:
        return self.there(label, *weights) and label not in weights and not (weights and label == "$LATEST")

    @rule(name=NAMES)
    def delete_alias(self, name: str) -> None:
        assert self.tried(self.client.delete_alias, Name=name) is not None
        self.aliases.pop(name, None)
        self.revisions.pop(name, None)

    @invariant()
    def the_service_is_as_the_model(self) -> None:
        versions = self.client.list_versions_by_function(FunctionName=self.name)["Versions"]
        assert {one["Version"]: one["Timeout"] for one in versions} == {"$LATEST": self.timeout, **self.versions}
        assert versions[0]["RevisionId"] == self.revision
        aliases = self.client.list_aliases(FunctionName=self.name)["Aliases"]
        held = {
            one["Name"]: (one["FunctionVersion"], one.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}))
            for one in aliases
        }
        assert held == self.aliases
        assert {one["Name"]: one["RevisionId"] for one in aliases} == self.revisions
        for name, (version, _) in self.aliases.items():
            answer = self.client.get_function_configuration(FunctionName=self.name, Qualifier=name)
            assert answer["Version"] == version

    def teardown(self) -> None:
        self.client.delete_function(FunctionName=self.name)


def test_no_sequence_of_changes_leaves_the_model(shared_lambent: Server) -> None:
    class Here(Machine):
        client = own_client(shared_lambent)

    run_state_machine_as_test(Here, settings=settings(max_examples=30, stateful_step_count=20))
