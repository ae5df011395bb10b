"""Random sequences of changes against a small model of versions, aliases and revisions."""

from __future__ import annotations

import base64
import hashlib
import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.services.lambda_.calls import create, own_client, settle
from tests.services.lambda_.packages import package

if TYPE_CHECKING:
    from tests.conftest import Server

NAMES = some.sampled_from(["a", "b"])
LABELS = some.sampled_from(["$LATEST", "1", "2", "3", "9"])
NUMBERS = some.sampled_from(["1", "2", "3", "9"])
TIMEOUTS = some.integers(3, 5)
CODES = ("version_one", "version_two", "echo")
CODE = some.sampled_from(CODES)
_names = itertools.count()


class Content(NamedTuple):
    """What the model keeps of a function or a version."""

    timeout: int
    code: str


def digest(code: str) -> str:
    """The CodeSha256 of the package called `code`."""
    return base64.b64encode(hashlib.sha256(package(code)).digest()).decode()


class Machine(RuleBasedStateMachine):
    """A function, and what the model says that it, its versions and its aliases are."""

    client: Any

    @initialize()
    def begin(self) -> None:
        self.name = f"f{next(_names)}"
        self.begun()

    def begun(self) -> None:
        self.revision = create(self.client, self.name, CODES[0])["RevisionId"]
        self.held = Content(3, CODES[0])
        self.versions: dict[str, Content] = {}
        self.last = 0
        self.published: Content | None = None
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

    @rule(timeout=TIMEOUTS, seen=some.booleans())
    def update(self, timeout: int, seen: bool) -> None:
        answer = self.tried(
            self.client.update_function_configuration, Timeout=timeout, RevisionId=self.revision if seen else "stale"
        )
        assert (answer is not None) == seen
        if answer is not None:
            self.changed(self.held._replace(timeout=timeout))

    @rule(code=CODE, publish=some.booleans(), trial=some.booleans())
    def update_code(self, code: str, publish: bool, trial: bool) -> None:
        answer = self.client.update_function_code(
            FunctionName=self.name, ZipFile=package(code), Publish=publish, DryRun=trial
        )
        assert answer["CodeSha256"] == digest(code)
        if trial:
            return
        self.changed(self.held._replace(code=code))
        if publish:
            self.counted(answer)

    def changed(self, content: Content) -> None:
        """A change has been accepted, and is complete when this returns."""
        held = settle(self.client, self.name)
        assert held["RevisionId"] != self.revision
        self.revision, self.held = held["RevisionId"], content

    @rule(seen=some.booleans(), code=some.none() | CODE)
    def publish(self, seen: bool, code: str | None) -> None:
        guard = {} if code is None else {"CodeSha256": digest(code)}
        answer = self.tried(self.client.publish_version, RevisionId=self.revision if seen else "stale", **guard)
        assert (answer is not None) == (seen and code in (None, self.held.code))
        if answer is not None:
            self.counted(answer)
            self.revision = self.client.get_function_configuration(FunctionName=self.name)["RevisionId"]

    def counted(self, answer: dict[str, Any]) -> None:
        """What is held now has been published: under the next number, or as the last version where nothing changed."""
        if str(self.last) not in self.versions or self.published != self.held:
            self.last += 1
            self.published = self.held
            self.versions[str(self.last)] = self.held
        assert answer["Version"] == str(self.last)

    @rule()
    def delete(self) -> None:
        """A function of the same name begins anew: nothing is left of its versions, aliases and numbers."""
        self.client.delete_function(FunctionName=self.name)
        self.begun()

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
        shown = {one["Version"]: (one["Timeout"], one["CodeSha256"]) for one in versions}
        content = {"$LATEST": self.held, **self.versions}
        assert shown == {label: (held.timeout, digest(held.code)) for label, held in content.items()}
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
