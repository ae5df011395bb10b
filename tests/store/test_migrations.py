"""Migrations: applied once and in order, all or none, and never altered afterwards."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import pytest

from lambent.store.errors import SchemaAltered, SchemaTooNew, StoreError
from lambent.store.migrations import load, statements
from lambent.store.sqlite import SqliteStore
from tests.store.conftest import write_schema

if TYPE_CHECKING:
    from pathlib import Path

ONE = {"0001_one.sql": "CREATE TABLE one (a TEXT);"}
TWO = ONE | {"0002_two.sql": "ALTER TABLE one ADD COLUMN b TEXT; CREATE TABLE two (a TEXT);"}


async def opened(folder: Path, **services: dict[str, str]) -> SqliteStore:
    schemas = {}
    for service, scripts in services.items():
        for old in (folder / service).glob("*"):
            old.unlink()
        schemas[service] = write_schema(folder / service, scripts)
    return await SqliteStore.open(folder / "data", schemas)


async def applied(store: SqliteStore) -> list[tuple[str, int, str]]:
    sql = "SELECT service, number, name FROM migrations WHERE service <> 'store' ORDER BY service, number"
    return await store.read(lambda tx: tx.all(sql))


async def test_every_services_migrations_are_applied_in_order(tmp_path: Path) -> None:
    store = await opened(tmp_path, ant=TWO, bee={"0001_hive.sql": "CREATE TABLE hive (a TEXT)"})
    assert await applied(store) == [("ant", 1, "one"), ("ant", 2, "two"), ("bee", 1, "hive")]
    await store.write(lambda tx: tx.run("INSERT INTO one (a, b) VALUES ('1', '2')"))
    await store.close()


async def test_only_what_is_new_is_applied_and_the_rows_stay(tmp_path: Path) -> None:
    store = await opened(tmp_path, ant=ONE)
    await store.write(lambda tx: tx.run("INSERT INTO one (a) VALUES ('kept')"))
    await store.close()
    for _ in range(2):
        store = await opened(tmp_path, ant=TWO)
        assert await store.read(lambda tx: tx.all("SELECT a, b FROM one")) == [("kept", None)]
        assert await applied(store) == [("ant", 1, "one"), ("ant", 2, "two")]
        await store.close()


async def test_a_failing_migration_leaves_nothing_of_any(tmp_path: Path) -> None:
    broken = TWO | {"0003_three.sql": "CREATE TABLE three (a TEXT); CREATE TABLE one (a TEXT);"}
    with pytest.raises(StoreError, match="table one already exists"):
        await opened(tmp_path, ant=broken)
    store = await opened(tmp_path, ant=ONE)
    assert await applied(store) == [("ant", 1, "one")]
    await store.close()


async def test_an_altered_migration_is_refused(tmp_path: Path) -> None:
    await (await opened(tmp_path, ant=TWO)).close()
    with pytest.raises(SchemaAltered, match="ant/0001_one was altered"):
        await opened(tmp_path, ant=TWO | {"0001_one.sql": "CREATE TABLE one (a INTEGER);"})


async def test_a_renamed_migration_is_refused(tmp_path: Path) -> None:
    await (await opened(tmp_path, ant=ONE)).close()
    with pytest.raises(SchemaAltered, match="ant/0001_one was altered"):
        await opened(tmp_path, ant={"0001_uno.sql": ONE["0001_one.sql"]})


async def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    await (await opened(tmp_path, ant=TWO)).close()
    with pytest.raises(SchemaTooNew, match="ant/0002_two, which this version of Lambent does not know"):
        await opened(tmp_path, ant=ONE)
    with pytest.raises(SchemaTooNew, match="ant/0001_one"):
        await opened(tmp_path)


@pytest.mark.parametrize(
    "names",
    [
        ["0002_two.sql"],
        ["0001_one.sql", "0003_three.sql"],
        ["0001_one.sql", "0001_uno.sql"],
        ["one.sql"],
        ["0001_One.sql"],
    ],
)
async def test_a_gap_a_double_or_a_bad_name_is_refused(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(SchemaAltered, match="is not 000"):
        await opened(tmp_path, ant=dict.fromkeys(names, "SELECT 1;"))


async def test_other_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    store = await opened(tmp_path, ant=ONE | {"README.md": "not SQL"})
    assert await applied(store) == [("ant", 1, "one")]
    await store.close()


def test_the_stores_own_migrations_are_in_order() -> None:
    steps = load("store", files("lambent.store") / "schema")
    assert [step.number for step in steps] == list(range(1, len(steps) + 1))


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", []),
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1; SELECT 2;\n\nSELECT 3\n;", ["SELECT 1;", "SELECT 2;", "SELECT 3\n;"]),
        ("SELECT ';'; SELECT \";\";", ["SELECT ';';", 'SELECT ";";']),
        ("-- a; b\nSELECT 1; -- the end", ["-- a; b\nSELECT 1;", "-- the end"]),
        ("/* a; b */ SELECT 1;", ["/* a; b */ SELECT 1;"]),
        (
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; DELETE FROM c; END; SELECT 1;",
            ["CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; DELETE FROM c; END;", "SELECT 1;"],
        ),
        ("SELECT 'unfinished; SELECT 1;", ["SELECT 'unfinished; SELECT 1;"]),
    ],
)
def test_a_script_is_cut_where_its_statements_end(script: str, expected: list[str]) -> None:
    assert list(statements(script)) == expected
