"""The live environments, and who gets which: never more invocations at once than the limit, never fewer.

Invariants: an environment serves one invocation at a time, and one tenant in its life; while requests of a group wait,
at least as many of its environments are coming, and none is idle; an environment is retired between invocations, never
within one.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from lambent.compute import unable
from lambent.compute.group import Group, key
from lambent.compute.idle import Idle
from lambent.compute.keepalive import KeepAlive
from lambent.compute.provisioning import Provisioning
from lambent.compute.scale import Starts
from lambent.compute.state import State
from lambent.compute.streaming import forsaken
from lambent.kernel import limits
from lambent.kernel.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambent.compute.admission import Admission
    from lambent.compute.function import FunctionVersion, Invocation, Outcome
    from lambent.compute.group import Allocation, Key
    from lambent.compute.pooled import Kind, Maker, Pooled
    from lambent.compute.scale import Slot
    from lambent.kernel.clock import Clock
    from lambent.kernel.tasks import Supervisor


class Pool:
    """Hands every invocation an environment, and is the `Owner` of all of them. Made and used on a running event loop.

    `make` builds an environment that is still to be started. `admission` says who may run. Above `capacity`
    environments the one that has been idle longest makes room. `idle_s` is how long an environment is usually kept,
    `margin_s` how long before the end of its credentials it is not used any more; `pressure` tells how scarce memory
    is, from 0 to 1, and is asked only where that counts. `starts` environments are started at once.
    """

    def __init__(
        self,
        make: Maker,
        admission: Admission,
        clock: Clock,
        supervisor: Supervisor,
        pressure: Callable[[], float],
        *,
        capacity: int,
        idle_s: float,
        margin_s: float,
        starts: int,
    ) -> None:
        self._make = make
        self._admission = admission
        self._clock = clock
        self._time = clock.time
        self._monotonic = clock.monotonic
        self._supervisor = supervisor
        self._pressure = pressure
        self._capacity = capacity
        self._margin_s = margin_s
        self._keep_alive = KeepAlive(idle_s)
        self._idle = Idle(clock, self._keep_alive, pressure, self._usable, self._dismiss)
        self._starts = Starts(clock, starts, limits.START_PATIENCE_S, self._start)
        self._provisioning = Provisioning(clock, self._starts, margin_s, self._dismiss)
        self._groups: dict[Key, Group] = {}
        self._living: dict[Group, None] = {}
        """All groups, those that are retired and still at work included."""
        self._provisions: dict[tuple[str, ...], Group] = {}
        """Where the provisioned concurrency of a version is, whatever its revision."""
        self._homes: dict[Pooled, Group] = {}
        self._slots: dict[Pooled, Slot] = {}
        self._size = 0
        self._planned: set[Slot] = set()
        """The places of starts that have no environment yet."""
        self._tasks: set[asyncio.Task[AwsError | None]] = set()
        self._closing = False
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    @property
    def running(self) -> int:
        """Invocations in progress, waiting ones included."""
        return self._admission.running

    @property
    def size(self) -> int:
        """Environments that live or are being built."""
        return self._size

    async def invoke(self, function: FunctionVersion, invocation: Invocation) -> Outcome:
        """Run `invocation` in an environment of `function`. Raises AwsError over a limit, or what `make` raised.

        A caller that is cancelled gives up its place in the queue; an invocation that has begun runs on without it.
        """
        tenant = invocation.tenant_id
        group = self._groups.get(key(function, tenant)) or self._group(function, tenant)
        try:
            group.share.admit()
        except AwsError:
            self._forget(group)
            raise
        group.rhythm.arrived(self._monotonic())
        answer: asyncio.Future[Outcome] = self._loop.create_future()
        environment = self._take(group)
        if environment is None:
            return await self._wait(group, invocation, answer)
        environment.begin(invocation, answer)
        try:
            return await answer
        except asyncio.CancelledError:
            forsaken(answer)
            raise

    def provision(self, function: FunctionVersion, environments: int) -> None:
        """Keep so many initialised environments of `function` at hand from now on, in place of what its version had.

        That they fit into the function's reservation or the account is the caller's to check; they are counted there
        from now on. `allocation` tells how far it has come. Raises AwsError where the pool is closing.
        """
        if self._closing:
            raise unable.closing()
        group = self._group(function)
        before = self._provisions.get(group.key[:4])
        self._provisions[group.key[:4]] = group
        if before is not None and before is not group:
            self._provisioning.request(before, 0)
            self._forget(before)
        group.share.provision(environments)
        self._provisioning.request(group, environments)

    def deprovision(self, function: FunctionVersion) -> None:
        """Take back what `provision` did for that version, whatever its revision; busy environments finish first."""
        group = self._provisions.pop(key(function)[:4], None)
        if group is not None:
            group.share.provision(0)
            self._provisioning.request(group, 0)
            self._forget(group)

    def allocation(self, function: FunctionVersion) -> Allocation | None:
        """How far the provisioned concurrency of that version has come; None where it has none."""
        group = self._provisions.get(key(function)[:4])
        return None if group is None else group.provision.allocation()

    def retire(self, function_arn: str, version: str | None = None, keep: str | None = None) -> None:
        """Let nobody who comes from now on meet an environment of the function, or of that version of it, as it was.
        Those of the revision `keep` are as they are to be: somebody may have been faster than who tells of the change.

        Idle ones stop at once, others after their invocation; what is provisioned is replaced.
        """
        for group in [group for group in self._groups.values() if group.function_arn == function_arn]:
            # What takes the place of one may have had another make room, which was all that there was of its group.
            if group.function.revision == keep:
                continue
            if group in self._living and (version is None or version == group.function.version):
                self._retire(group)

    async def close(self) -> None:
        """Stop everything and wait until nothing is left."""
        self._closing = True
        self._idle.close()
        for task in self._tasks:
            task.cancel()
        for group in list(self._living):
            self._shut(group)
        while self._living or self._tasks:
            self._changed.clear()
            await self._changed.wait()

    def ready(self, environment: Pooled) -> None:
        group = self._homes[environment]
        self._free_slot(environment)
        if environment in group.provision.unready:
            if self._provisioning.ready(group, environment):
                self._offer(group, environment, self._usable(group, environment))
        elif environment in group.unready:
            group.unready.discard(environment)
            self._offer(group, environment, environment.initialised and self._usable(group, environment))

    def failed(self, environment: Pooled, error: AwsError | OSError) -> None:
        self._lost(environment, unable.refusal(environment.function, error))

    def settling(self, environment: Pooled) -> None:
        group = self._homes[environment]
        if not group.retired:
            group.settling.add(environment)
            self._countermand(group)
            self._bear_with(group)

    def finished(self, environment: Pooled) -> None:
        group = self._homes[environment]
        group.settling.discard(environment)
        group.share.release()
        if environment.state is not State.IDLE:
            self._provisioning.lost(group, environment)
        elif not self._usable(group, environment):
            self._dismiss(group, environment)
        elif not (group.waiting and self._serve(group, environment)):
            self._rest(group, environment)
        if group.lacking > 0:
            self._order(group)

    def gone(self, environment: Pooled) -> None:
        self._lost(environment, unable.ended())

    def _group(self, function: FunctionVersion, tenant: str | None = None) -> Group:
        group = self._groups.get(key(function, tenant))
        if group is None:
            rhythm = self._keep_alive.rhythm(function, tenant, self._monotonic())
            group = Group(function, tenant, self._admission.share(function), rhythm)
            self._groups[group.key] = group
            self._living[group] = None
        return group

    def _forget(self, group: Group) -> None:
        if not group.blank or group not in self._living:
            return
        del self._living[group]
        if self._groups.get(group.key) is group:
            del self._groups[group.key]
        if group.patience is not None:
            group.patience.cancel()
        self._admission.drop(group.share)
        self._changed.set()

    def _take(self, group: Group) -> Pooled | None:
        """An idle environment: a provisioned one if there is one, the most recently used of its kind."""
        while idle := group.provision.idle or group.idle:
            environment, _ = idle.popitem()
            self._idle.environments.pop(environment, None)
            if self._usable(group, environment):
                return environment
            self._dismiss(group, environment)
        return None

    async def _wait(self, group: Group, invocation: Invocation, answer: asyncio.Future[Outcome]) -> Outcome:
        """The outcome, once an environment is free that begins `invocation`."""
        group = self._group(
            group.function, group.tenant
        )  # it is another where the last idle environment was not usable any more
        try:
            self._enqueue(group, invocation, answer)
        except AwsError:
            group.share.release()
            self._forget(group)
            raise
        try:
            return await answer
        except asyncio.CancelledError:
            forsaken(answer)
            self._give_up(group, answer)
            raise

    def _enqueue(self, group: Group, invocation: Invocation, answer: asyncio.Future[Outcome]) -> None:
        if self._closing:
            raise unable.closing()
        if group.lacking >= 0:
            self._grow(group)
        group.waiting[answer] = invocation
        self._bear_with(group)
        self._starts.want(group)

    def _grow(self, group: Group) -> None:
        """Order a start. Raises AwsError where the function may not grow now."""
        if group.tenant is not None:
            group.share.house(self._housed(group))
        group.share.grow()
        group.ordered += 1

    def _order(self, group: Group) -> None:
        """Order the starts that are lacking because what was expected to be free is not; who may have none is told."""
        while group.lacking > 0:
            try:
                self._grow(group)
            except AwsError as refusal:
                self._refuse(group, refusal)
        self._starts.want(group)

    def _bear_with(self, group: Group) -> None:
        """Where somebody waits for an environment that is to be free in a moment, let it be no longer than that."""
        if group.waiting and group.settling and group.patience is None:
            group.patience = self._clock.call_later(limits.SETTLING_S, partial(self._impatient, group))

    def _bear_anew(self, group: Group) -> None:
        """Somebody has had its turn: whoever else waits for such an environment does so from now on."""
        if group.patience is not None:
            group.patience.cancel()
            group.patience = None
            self._bear_with(group)

    def _impatient(self, group: Group) -> None:
        """What was to be free in a moment has taken too long."""
        group.patience = None
        group.settling.clear()
        self._order(group)

    def _housed(self, group: Group) -> int:
        """How many environments all tenants of the group's function have."""
        return sum(each.size for each in self._living if each.function_arn == group.function_arn)

    def _give_up(self, group: Group, answer: asyncio.Future[Outcome]) -> None:
        """A caller is gone. If it still waited, its place is free, and so is the start that it would have had."""
        if group.waiting.pop(answer, None) is not None:
            group.share.release()
            self._countermand(group)
            if not group.waiting:
                self._bear_anew(group)
            self._forget(group)

    def _countermand(self, group: Group) -> None:
        """A request waits no longer: a start that was ordered is not needed if that makes it one too many."""
        if group.ordered and group.lacking < 0:
            group.ordered -= 1
            group.share.rate.give_back()

    def _offer(self, group: Group, environment: Pooled, worth_keeping: bool) -> None:
        """Give a free environment to who waits longest, or else keep it for later."""
        if self._serve(group, environment):
            return
        if worth_keeping:
            self._rest(group, environment)
        else:
            self._dismiss(group, environment)

    def _serve(self, group: Group, environment: Pooled) -> bool:
        while group.waiting:
            answer, invocation = group.waiting.popitem(last=False)
            self._countermand(group)
            self._bear_anew(group)
            if not answer.done():
                environment.begin(invocation, answer)
                return True
            group.share.release()  # its caller is gone and has not had its turn to say so
        return False

    def _rest(self, group: Group, environment: Pooled) -> None:
        if group.provision.ready and environment in group.provision.ready:
            group.provision.idle[environment] = None
        else:
            self._idle.add(group, environment)

    def _usable(self, group: Group, environment: Pooled) -> bool:
        return not (
            group.retired
            or environment.retired
            or environment.expires - self._time() <= self._margin_s
            or (group.provision.ready and group.provision.spares(environment))
        )

    def _dismiss(self, group: Group, environment: Pooled) -> None:
        """Stop an environment that does nothing, and replace it if it was provisioned."""
        self._idle.discard(environment)
        self._provisioning.lost(group, environment)
        environment.stop()

    def _start(self, group: Group, slot: Slot) -> None:
        """Begin the start whose turn it is. Requests that wait go before what is provisioned."""
        kind: Kind = "on-demand" if group.ordered else "provisioned-concurrency"
        if kind == "on-demand":
            group.ordered -= 1
            group.planned += 1
        else:
            group.provision.planned += 1
        self._planned.add(slot)
        if self._size >= self._capacity:
            self._idle.make_room()
        self._size += 1
        task = self._supervisor.start(f"start {group.function.name}", self._bring_up(group, kind, slot))
        self._tasks.add(task)
        task.add_done_callback(partial(self._brought_up, group, kind, slot))

    async def _bring_up(self, group: Group, kind: Kind, slot: Slot) -> AwsError | None:
        if kind == "on-demand" and self._is_in_vain(group):
            group.share.rate.give_back()
            self._call_off(group, kind, slot)
            return None
        try:
            environment = await self._make(group.function, self, kind)
        except (AwsError, OSError) as error:
            return unable.refusal(group.function, error)
        self._planned_no_more(group, kind, slot)
        (group.unready if kind == "on-demand" else group.provision.unready).add(environment)
        group.members.add(environment)
        self._homes[environment] = group
        self._slots[environment] = slot
        try:
            environment.start()
        except Exception as bug:
            self._lost(environment, bug)
            environment.stop()
            raise
        self._provisioning.shed(group)
        return None

    def _is_in_vain(self, group: Group) -> bool:
        """Whether a start is for nobody, where memory is exhausted: whoever can wait is refused then."""
        if (group.lacking >= 0 and not group.patient) or self._pressure() < 1:
            return False
        for answer in group.patient:
            self._give_up(group, answer)
            if not answer.done():
                answer.set_exception(unable.no_room())
        return group.lacking < 0

    def _brought_up(self, group: Group, kind: Kind, slot: Slot, task: asyncio.Task[AwsError | None]) -> None:
        self._tasks.discard(task)
        self._changed.set()
        failure = unable.closing() if task.cancelled() else task.exception() or task.result()
        if failure is not None and slot in self._planned:
            self._call_off(group, kind, slot, failure)

    def _call_off(self, group: Group, kind: Kind, slot: Slot, failure: BaseException | None = None) -> None:
        """A start comes to nothing, because of `failure` or because it is not wanted any more."""
        self._size -= 1
        self._planned_no_more(group, kind, slot)
        if failure is not None and kind == "on-demand":
            self._refuse(group, failure)
        elif failure is not None:
            self._provisioning.failed(group, str(failure))
        slot.free()
        self._forget(group)

    def _planned_no_more(self, group: Group, kind: Kind, slot: Slot) -> None:
        """A start has its environment, or will have none."""
        self._planned.remove(slot)
        if kind == "on-demand":
            group.planned -= 1
        else:
            group.provision.planned -= 1

    def _refuse(self, group: Group, failure: BaseException) -> None:
        """An environment could not be started: that is the answer to one request, if more wait than others come."""
        while group.lacking > 0:
            answer, _ = group.waiting.popitem(last=False)
            group.share.release()
            if not answer.done():
                answer.set_exception(failure)
        if not group.waiting:
            self._bear_anew(group)

    def _lost(self, environment: Pooled, failure: Exception) -> None:
        """Nothing is left of `environment`. `failure` is whose answer it was to be, if it never served."""
        group = self._homes.pop(environment, None)
        if group is None:
            return
        self._free_slot(environment)
        self._size -= 1
        group.members.discard(environment)
        group.settling.discard(environment)
        self._idle.discard(environment)
        if environment in group.unready:
            group.unready.discard(environment)
            self._refuse(group, failure)
        elif group.provision.drop(environment):
            self._provisioning.failed(group, str(failure))
        self._forget(group)

    def _free_slot(self, environment: Pooled) -> None:
        slot = self._slots.pop(environment, None)
        if slot is not None:
            slot.free()

    def _retire(self, group: Group) -> None:
        del self._groups[group.key]
        group.retired = True
        group.settling.clear()
        self._order(group)
        for environment in list(group.idle):
            self._dismiss(group, environment)
        if requested := group.provision.requested:
            heir = self._provisions[group.key[:4]] = self._group(group.function)
            self._provisioning.request(group, 0)
            self._provisioning.request(heir, requested)
        self._forget(group)

    def _shut(self, group: Group) -> None:
        """Refuse who waits in `group` and stop its environments, as they are."""
        group.retired = True
        group.ordered = 0
        group.settling.clear()
        while group.waiting:
            answer, _ = group.waiting.popitem(last=False)
            group.share.release()
            if not answer.done():
                answer.set_exception(unable.closing())
        self._provisioning.request(group, 0)
        for environment in list(group.members):
            self._dismiss(group, environment)
        self._forget(group)
