"""What can be wrong with the store, each situation by name and in one clear line that an operator can act on."""

from __future__ import annotations


class StoreError(Exception):
    """The store could not do what was asked; nothing is claimed to be durable."""


class FolderUnusable(StoreError):
    """The data folder cannot be created, read or written."""


class FolderInUse(StoreError):
    """Another server has the data folder open. `pid` is its process, None where it could not be read."""

    def __init__(self, folder: str, pid: int | None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(f"the data folder {folder} is in use by {holder}; stop it first or choose another folder")
        self.pid = pid


class DatabaseDamaged(StoreError):
    """The database file is not a database, or its content contradicts itself."""


class SchemaTooNew(StoreError):
    """A newer Lambent has written this database."""


class SchemaAltered(StoreError):
    """A migration is missing, misnamed, or was changed after it had been applied."""


class ConstraintBroken(StoreError):
    """A statement would have broken a constraint of its table."""


class StoreClosed(StoreError):
    """The store was closed before, or while, it was asked."""

    def __init__(self) -> None:
        super().__init__("the store is closed")


class NoSuchBlob(StoreError):
    """No blob has this digest."""

    def __init__(self, digest: str) -> None:
        super().__init__(f"no blob {digest}")
        self.digest = digest
