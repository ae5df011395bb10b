"""Keeps as many initialised environments of a version as were asked for: starts, replaces and renews them.

https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from lambent.kernel import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.compute.group import Group
    from lambent.compute.pooled import Pooled
    from lambent.compute.scale import Starts
    from lambent.kernel.clock import Clock

log = logging.getLogger(__name__)

_INIT_FAILED = "FUNCTION_ERROR_INIT_FAILURE"


class Provisioning:
    """Sees to the `Provision` of every group. `dismiss` stops an environment that does nothing.

    `margin_s` is how long before the end of its credentials an environment is not used any more.
    """

    def __init__(self, clock: Clock, starts: Starts, margin_s: float, dismiss: Callable[[Group, Pooled], None]) -> None:
        self._clock = clock
        self._starts = starts
        self._margin_s = margin_s
        self._dismiss = dismiss

    def request(self, group: Group, environments: int) -> None:
        """Keep so many in `group` from now on. Those that are busy and too many finish first."""
        group.provision.request(environments)
        self.shed(group)
        self._starts.want(group)

    def shed(self, group: Group) -> None:
        """Stop those that are too many, as far as they do nothing."""
        provision = group.provision
        while provision.lacking < 0 and provision.unready:
            provision.unready.pop().stop()
        for environment in [*provision.leaving, *provision.idle]:
            if environment in provision.idle and provision.spares(environment):
                self._dismiss(group, environment)

    def ready(self, group: Group, environment: Pooled) -> bool:
        """INIT is over; whether `environment` is of use."""
        provision = group.provision
        provision.unready.discard(environment)
        if not environment.initialised:
            environment.stop()
            self.failed(group, _INIT_FAILED)
            return False
        lasting = environment.expires - self._clock.time() - self._margin_s - limits.PROVISION_RENEW_S
        renewal = max(lasting, limits.PROVISION_RETRY_MAX_S)
        provision.ready[environment] = self._clock.call_later(renewal, partial(self._renew, group, environment))
        provision.succeeded()
        self.shed(group)
        self._starts.want(group)
        return True

    def failed(self, group: Group, reason: str) -> None:
        """An environment could not be had: say why, and try again after a while that grows each time."""
        provision = group.provision
        provision.reason = reason
        if provision.lacking > 0 and provision.pause is None:
            log.warning("no provisioned environment of %s: %s", group.function.arn, reason)
            provision.pause = self._clock.call_later(provision.next_pause_s(), partial(self._resume, group))

    def lost(self, group: Group, environment: Pooled) -> bool:
        """Replace `environment`, which cannot be used any more; False where it was not a provisioned one."""
        known = group.provision.drop(environment)
        if known:
            self._starts.want(group)
        return known

    def _resume(self, group: Group) -> None:
        group.provision.resume()
        self._starts.want(group)

    def _renew(self, group: Group, environment: Pooled) -> None:
        """The credentials end soon: start the replacement. `environment` serves on until that is there."""
        group.provision.leaving.add(environment)
        self._starts.want(group)
