"""AWS's own managed policies, as AWS has published them: every one that can be attached, in its default version.

They are data (`aws_managed_policies.jsonl`, one policy a line). Their ids are derived from their names here; earlier
versions and descriptions are left out.
"""

from __future__ import annotations

from functools import cached_property
from importlib.resources import files

import msgspec

from lambent.services.iam.records import AWS, POLICY_ID_PREFIX, Policy, PolicyVersion
from lambent.services.iam.rules.names import derived_id


class _Line(msgspec.Struct, frozen=True):
    name: str
    path: str
    version: int
    created: int
    updated: int
    document: msgspec.Raw


class ManagedPolicies:
    """The catalogue; it is read at its first use, which takes some milliseconds."""

    def find(self, policy_arn: str) -> Policy | None:
        """The policy, or None."""
        found = self._by_arn.get(policy_arn)
        return None if found is None else found[0]

    def version(self, policy: Policy) -> PolicyVersion:
        """The default version of one of these policies."""
        line = self._by_arn[policy.arn][1]
        return PolicyVersion(line.version, line.updated, bytes(line.document).decode())

    def all(self) -> list[Policy]:
        """Every policy, the oldest first, as AWS lists them."""
        return [policy for policy, _ in self._by_arn.values()]

    @cached_property
    def _by_arn(self) -> dict[str, tuple[Policy, _Line]]:
        data = (files("lambent.services.iam") / "aws_managed_policies.jsonl").read_bytes()
        lines = msgspec.json.Decoder(_Line).decode_lines(data)
        pairs = [(_policy(line), line) for line in sorted(lines, key=lambda line: (line.created, line.name))]
        return {policy.arn: (policy, line) for policy, line in pairs}


def _policy(line: _Line) -> Policy:
    return Policy(
        account=AWS,
        name=line.name,
        path=line.path,
        policy_id=derived_id(POLICY_ID_PREFIX, f"{line.path}{line.name}"),
        created_s=line.created,
        updated_s=line.updated,
        default_version=line.version,
        last_version=line.version,
    )
