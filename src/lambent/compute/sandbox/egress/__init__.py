"""Outbound connections of environments whose own network leads nowhere, by policy."""

from __future__ import annotations

from lambent.compute.sandbox.egress.broker import Attachment, Egress
from lambent.compute.sandbox.egress.notifications import available
from lambent.compute.sandbox.egress.policy import Policy
from lambent.compute.sandbox.egress.programs import notify_filter

__all__ = ["Attachment", "Egress", "Policy", "available", "notify_filter"]
