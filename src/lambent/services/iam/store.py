"""The only SQL of IAM. Everything belongs to an account; roles and policies are found by their names in lower case."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lambent.services.iam.records import Policy, PolicyVersion, Role

if TYPE_CHECKING:
    from lambent.store.api import Transaction

_roles = msgspec.json.Decoder(Role)
_policies = msgspec.json.Decoder(Policy)
_versions = msgspec.json.Decoder(PolicyVersion)


def find_role(tx: Transaction, account: str, key: str) -> Role | None:
    """The role, or None."""
    row = tx.one(
        "SELECT record FROM iam_role WHERE account = :account AND name_key = :key",
        account=account,
        key=key,
    )
    return None if row is None else _roles.decode(row[0])


def page_roles(tx: Transaction, account: str, prefix: str, after: str, count: int) -> list[Role]:
    """Up to `count` roles below the path `prefix` whose keys follow `after`, by key."""
    rows = tx.all(
        "SELECT record FROM iam_role WHERE account = :account AND name_key > :after"
        " AND substr(path, 1, length(:prefix)) = :prefix ORDER BY name_key LIMIT :count",
        account=account,
        prefix=prefix,
        after=after,
        count=count,
    )
    return [_roles.decode(row[0]) for row in rows]


def count_roles(tx: Transaction, account: str) -> int:
    """How many roles there are."""
    return _count(tx, "SELECT COUNT(*) FROM iam_role WHERE account = :account", account=account)


def insert_role(tx: Transaction, role: Role) -> bool:
    """Store a new role; False where its name is taken."""
    changed = tx.run(
        "INSERT INTO iam_role (account, name_key, path, boundary, record)"
        " VALUES (:account, :key, :path, :boundary, :record) ON CONFLICT DO NOTHING",
        account=role.account,
        key=role.key,
        path=role.path,
        boundary=role.boundary,
        record=_text(role),
    )
    return changed == 1


def update_role(tx: Transaction, role: Role) -> None:
    """Store the next state of a role that exists."""
    tx.run(
        "UPDATE iam_role SET boundary = :boundary, record = :record WHERE account = :account AND name_key = :key",
        account=role.account,
        key=role.key,
        boundary=role.boundary,
        record=_text(role),
    )


def delete_role(tx: Transaction, role: Role) -> None:
    """Remove a role that nothing hangs on."""
    tx.run("DELETE FROM iam_role WHERE account = :account AND name_key = :key", account=role.account, key=role.key)


def find_inline(tx: Transaction, role: Role, name: str) -> str | None:
    """The document of a role's own policy, or None."""
    row = tx.one(
        "SELECT document FROM iam_role_policy WHERE account = :account AND role_key = :role AND name = :name",
        account=role.account,
        role=role.key,
        name=name,
    )
    return None if row is None else str(row[0])


def inline_documents(tx: Transaction, role: Role) -> dict[str, str]:
    """All of a role's own policies, name to document, by name."""
    rows = tx.all(
        "SELECT name, document FROM iam_role_policy WHERE account = :account AND role_key = :role ORDER BY name",
        account=role.account,
        role=role.key,
    )
    return {str(name): str(document) for name, document in rows}


def put_inline(tx: Transaction, role: Role, name: str, document: str) -> None:
    """Store a role's own policy, over the one of that name where there is one."""
    tx.run(
        "INSERT INTO iam_role_policy (account, role_key, name, document) VALUES (:account, :role, :name, :document)"
        " ON CONFLICT (account, role_key, name) DO UPDATE SET document = excluded.document",
        account=role.account,
        role=role.key,
        name=name,
        document=document,
    )


def delete_inline(tx: Transaction, role: Role, name: str) -> bool:
    """Remove a role's own policy; False where there is none."""
    changed = tx.run(
        "DELETE FROM iam_role_policy WHERE account = :account AND role_key = :role AND name = :name",
        account=role.account,
        role=role.key,
        name=name,
    )
    return changed == 1


def attached(tx: Transaction, role: Role) -> list[str]:
    """The ARNs of the managed policies on a role, in the order they came."""
    rows = tx.all(
        "SELECT policy_arn FROM iam_attachment WHERE account = :account AND role_key = :role ORDER BY number",
        account=role.account,
        role=role.key,
    )
    return [str(row[0]) for row in rows]


def attach(tx: Transaction, role: Role, policy_arn: str) -> None:
    """Put a managed policy on a role, behind those that are there."""
    tx.run(
        "INSERT INTO iam_attachment (account, role_key, policy_arn, number) SELECT :account, :role, :policy,"
        " COALESCE(MAX(number), 0) + 1 FROM iam_attachment WHERE account = :account AND role_key = :role",
        account=role.account,
        role=role.key,
        policy=policy_arn,
    )


def detach(tx: Transaction, role: Role, policy_arn: str) -> bool:
    """Take a managed policy off a role; False where it is not on it."""
    changed = tx.run(
        "DELETE FROM iam_attachment WHERE account = :account AND role_key = :role AND policy_arn = :policy",
        account=role.account,
        role=role.key,
        policy=policy_arn,
    )
    return changed == 1


def attachments(tx: Transaction, account: str) -> dict[str, int]:
    """How many roles each managed policy is on, by its ARN; a policy on none is missing."""
    rows = tx.all(
        "SELECT policy_arn, COUNT(*) FROM iam_attachment WHERE account = :account GROUP BY policy_arn",
        account=account,
    )
    return {str(policy_arn): int(count) for policy_arn, count in rows}


def boundaries(tx: Transaction, account: str) -> dict[str, int]:
    """How many roles each managed policy bounds, by its ARN; a policy that bounds none is missing."""
    rows = tx.all(
        "SELECT boundary, COUNT(*) FROM iam_role WHERE account = :account AND boundary IS NOT NULL GROUP BY boundary",
        account=account,
    )
    return {str(policy_arn): int(count) for policy_arn, count in rows}


def roles_with(tx: Transaction, account: str, policy_arn: str) -> list[Role]:
    """The roles that a managed policy is on, by key."""
    rows = tx.all(
        "SELECT record FROM iam_role JOIN iam_attachment"
        " ON iam_attachment.account = iam_role.account AND iam_attachment.role_key = iam_role.name_key"
        " WHERE iam_role.account = :account AND policy_arn = :policy ORDER BY name_key",
        account=account,
        policy=policy_arn,
    )
    return [_roles.decode(row[0]) for row in rows]


def roles_bounded_by(tx: Transaction, account: str, policy_arn: str) -> list[Role]:
    """The roles that a managed policy bounds, by key."""
    rows = tx.all(
        "SELECT record FROM iam_role WHERE account = :account AND boundary = :policy ORDER BY name_key",
        account=account,
        policy=policy_arn,
    )
    return [_roles.decode(row[0]) for row in rows]


def find_policy(tx: Transaction, account: str, key: str) -> Policy | None:
    """The customer's managed policy, or None."""
    row = tx.one(
        "SELECT record FROM iam_policy WHERE account = :account AND name_key = :key",
        account=account,
        key=key,
    )
    return None if row is None else _policies.decode(row[0])


def policies(tx: Transaction, account: str) -> list[Policy]:
    """All of the customer's managed policies, by key."""
    rows = tx.all("SELECT record FROM iam_policy WHERE account = :account ORDER BY name_key", account=account)
    return [_policies.decode(row[0]) for row in rows]


def count_policies(tx: Transaction, account: str) -> int:
    """How many customer-managed policies there are."""
    return _count(tx, "SELECT COUNT(*) FROM iam_policy WHERE account = :account", account=account)


def insert_policy(tx: Transaction, policy: Policy) -> bool:
    """Store a new policy; False where its name is taken."""
    changed = tx.run(
        "INSERT INTO iam_policy (account, name_key, record) VALUES (:account, :key, :record) ON CONFLICT DO NOTHING",
        account=policy.account,
        key=policy.key,
        record=_text(policy),
    )
    return changed == 1


def update_policy(tx: Transaction, policy: Policy) -> None:
    """Store the next state of a policy that exists."""
    tx.run(
        "UPDATE iam_policy SET record = :record WHERE account = :account AND name_key = :key",
        account=policy.account,
        key=policy.key,
        record=_text(policy),
    )


def delete_policy(tx: Transaction, policy: Policy) -> None:
    """Remove a policy and its versions."""
    which = {"account": policy.account, "key": policy.key}
    tx.run("DELETE FROM iam_policy_version WHERE account = :account AND policy_key = :key", **which)
    tx.run("DELETE FROM iam_policy WHERE account = :account AND name_key = :key", **which)


def versions(tx: Transaction, policy: Policy) -> list[PolicyVersion]:
    """The versions of a policy, newest first."""
    rows = tx.all(
        "SELECT record FROM iam_policy_version WHERE account = :account AND policy_key = :key ORDER BY number DESC",
        account=policy.account,
        key=policy.key,
    )
    return [_versions.decode(row[0]) for row in rows]


def insert_version(tx: Transaction, policy: Policy, version: PolicyVersion) -> None:
    """Store a new version."""
    tx.run(
        "INSERT INTO iam_policy_version (account, policy_key, number, record)"
        " VALUES (:account, :key, :number, :record)",
        account=policy.account,
        key=policy.key,
        number=version.number,
        record=_text(version),
    )


def delete_version(tx: Transaction, policy: Policy, number: int) -> None:
    """Remove a version that is not the default."""
    tx.run(
        "DELETE FROM iam_policy_version WHERE account = :account AND policy_key = :key AND number = :number",
        account=policy.account,
        key=policy.key,
        number=number,
    )


def _count(tx: Transaction, sql: str, account: str) -> int:
    row = tx.one(sql, account=account)
    assert row is not None, "COUNT always has a row"
    return int(row[0])


def _text(record: msgspec.Struct) -> str:
    return msgspec.json.encode(record).decode()
