"""The workshop of the engine's own tests."""

from __future__ import annotations

from tests.compute.conftest import shop

__all__ = ["shop"]
