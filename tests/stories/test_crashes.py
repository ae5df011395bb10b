"""SIGKILL at each step of each operation that changes something: all or nothing, and whatever was answered."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import boto3
import pytest

from tests.stories.crashes import iam, lambda_, logs
from tests.stories.crashes.checks import verify
from tests.stories.crashes.recording import Image, Recording, begin, commits, record, recover, torn
from tests.stories.crashes.server import halting
from tests.support import client

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

SCENARIOS = (*lambda_.SCENARIOS, *iam.SCENARIOS, *logs.SCENARIOS)
AT_ONCE = 2
READING = re.compile(r"Get|List|Describe|Filter|AssumeRole$")
"""What begins so changes nothing; sessions are not stored."""
WORKERS_STEPS = 3
PARTS = 16


def test_every_operation_of_lambda_is_made_or_looked_at() -> None:
    model = boto3.session.Session(region_name="us-east-1").client("lambda").meta.service_model
    steps = {step.operation for scenario in lambda_.SCENARIOS for step in (scenario.call, *scenario.seen)}
    assert sorted(steps) == sorted(model.operation_names)
    made = {scenario.operation for scenario in lambda_.SCENARIOS}
    assert {name for name in model.operation_names if not READING.match(name)} == made


def test_every_operation_of_other_services_that_changes_something_is_made(lambent: Server) -> None:
    made = {(scenario.service, scenario.operation) for scenario in SCENARIOS}
    for service in lambent.app.services:
        for operation in service.operations if service.name != "lambda" else ():
            name = "".join(word.capitalize() for word in operation.__name__.split("_"))
            assert READING.match(name) or (service.name, name) in made


@pytest.mark.timeout(300)
def test_a_kill_at_any_step_leaves_all_of_a_call_or_nothing(tmp_path: Path) -> None:
    recording = record(tmp_path, SCENARIOS)
    calls = [image for image in recording.images if image.moment.endswith("calls")]
    workers = [image for image in recording.images if image not in calls]
    half_written = torn(calls[1], tmp_path / "torn")
    chosen = [*calls, half_written, *workers[:: max(1, len(workers) // WORKERS_STEPS)]]
    check(recording, [(image, image.news) for image in chosen])


def test_a_kill_in_the_middle_of_the_first_start_is_recovered_from(tmp_path: Path) -> None:
    folders: list[Path] = []
    with halting(tmp_path / "new", "trace") as server, ThreadPoolExecutor(1) as pool:
        for copy in commits(server, begin(server, pool, server.ready)):
            folders.append(tmp_path / f"step-{len(folders)}")
            copy(folders[-1])
    assert folders
    for folder in folders:
        with halting(folder) as server:
            assert client(server.endpoint, "lambda").list_functions()["Functions"] == []


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(PARTS))
def test_a_kill_at_any_step_leaves_everything_else_as_it_was(tmp_path: Path, part: int) -> None:
    recording = record(tmp_path, SCENARIOS)
    images = recording.images[part::PARTS]
    images += [torn(image, tmp_path / f"torn-{number}") for number, image in enumerate(images) if image.unheard]
    everybody = frozenset(actor.account for actor in recording.actors)
    check(recording, [(image, everybody) for image in images])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_kill_in_the_middle_of_a_recovery_is_recovered_from(tmp_path: Path) -> None:
    recording = record(tmp_path, SCENARIOS)
    accepted = [image for image in recording.images if image.moment.endswith("calls")][-1]
    [left, *_] = [image.news for image in recording.images if image.moment.endswith("workers")]
    images = recover(accepted._replace(news=left), recording.actors, tmp_path)
    check(recording, [(image, left) for image in images])


def check(recording: Recording, chosen: list[tuple[Image, frozenset[str]]]) -> None:
    """Start a server on each image, two at a time, and see what those accounts find there."""

    def one(image: Image, accounts: frozenset[str]) -> None:
        verify(image, [actor for actor in recording.actors if actor.account in accounts])

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(one, *which) for which in chosen]:
            done.result()
