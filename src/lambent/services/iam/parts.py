"""What IAM is built from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lambent.services.iam.managed import ManagedPolicies

if TYPE_CHECKING:
    from lambent.kernel.clock import Clock
    from lambent.kernel.ids import Ids
    from lambent.services.iam.roles import StoredRoles
    from lambent.store.api import Store


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The equipment of every operation of IAM."""

    store: Store
    roles: StoredRoles
    clock: Clock
    ids: Ids
    managed: ManagedPolicies = field(default_factory=ManagedPolicies)
