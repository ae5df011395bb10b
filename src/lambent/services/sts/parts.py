"""What STS is built from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lambent.kernel.authority import Roles
    from lambent.services.sts.authority import SessionAuthority


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The equipment of every operation of STS."""

    authority: SessionAuthority
    roles: Roles
