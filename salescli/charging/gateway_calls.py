"""The gateway calls of a tick: how many may be begun, which are under way, which answers have come.

``room`` → claimed payments → ``begin``: a thread each → ``answered``: those to be recorded in one commit
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from time import monotonic

from salescli.charging import due_payments
from salescli.charging.due_payments import ClaimedPayment
from salescli.errors import SalesError
from salescli.gateways.answers import Answer

SPARE_MAX = 64  # claimed payments that wait for a worker: how many outcomes may be unknown after a crash is bounded
LEFT_OUT_MAX = 32  # recurring orders that cannot be claimed: beyond them it is not a damaged record here and there
GATHER_SECONDS = 0.1  # how long an answer waits for others, to be recorded in one commit with them
GATHER_BUSY_SECONDS = 5.0  # how long while that keeps no worker waiting


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one tick: how many payments, how many gateway calls at a time, and whether to stop now.

    ``ahead``: how many payments are claimed ahead of the calls; None: two for each worker, and ``SPARE_MAX`` at most.
    """

    charges: int | None = None
    workers: int = 32
    stopping: Callable[[], bool] = lambda: False
    ahead: int | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """Within what a tick works: its limits, the only gateways that it may call, and when it takes on nothing new."""

    limits: Limits
    only: tuple[str, ...] | None
    deadline: float

    def stopping(self) -> bool:
        """Return whether nothing new may be begun."""
        return self.limits.stopping() or self.is_over()

    def is_over(self) -> bool:
        """Return whether its time is over."""
        return monotonic() > self.deadline


@dataclass(slots=True)
class GatewayCalls:
    """The gateway calls under way."""

    pool: ThreadPoolExecutor
    bounds: Bounds
    claims: int = 0
    exhausted: bool = False  # a brake ended the run
    broken: Exception | None = None  # why nothing more can be claimed
    left_out: set[int] = field(default_factory=set)  # recurring orders that are held in this run, or damaged
    damaged: int = 0  # how many of them cannot be claimed
    in_flight: dict[Future[Answer], ClaimedPayment] = field(default_factory=dict)
    done: SimpleQueue[Future[Answer]] = field(default_factory=SimpleQueue)

    def begin(self, claimed: ClaimedPayment) -> None:
        """Call the gateway of a claimed payment in a thread.

        Without a thread the run ends, once what is in flight is settled; the next one looks this payment up.
        """
        try:
            future = self.pool.submit(due_payments.answer_to, claimed)
            self.in_flight[future] = claimed
            future.add_done_callback(self.done.put)
        except RuntimeError as error:  # it may be made all the same, by a thread that runs already
            self.exhausted = True
            self.broken = SalesError(
                f"invoice {claimed.attempt.invoice_id}: no thread could be started for its payment ({error}), so this"
                " tick ended early; the next looks it up"
            )

    def leave_out(self, id: int, error: Exception) -> None:
        """Leave out a recurring order that cannot be claimed: the others go on, and the run ends with the error."""
        self.left_out.add(id)
        self.damaged += 1
        self.broken = self.broken or error
        self.exhausted |= self.damaged > LEFT_OUT_MAX

    def room(self) -> int:
        """Return how many payments may be claimed now."""
        if self.exhausted or self.bounds.stopping():
            return 0
        limits = self.bounds.limits
        room = limits.workers + self._spare() - len(self.in_flight)
        return room if limits.charges is None else min(room, limits.charges - self.claims)

    def _spare(self) -> int:
        """Return how many payments are claimed ahead, so that workers have some while others are written."""
        limits = self.bounds.limits
        return min(SPARE_MAX, 2 * limits.workers) if limits.ahead is None else limits.ahead

    def answered(self) -> list[tuple[ClaimedPayment, Answer]]:
        """Wait for the next answer, then for others to be recorded with it: longer while no worker waits for that."""
        answered = [self._next(None)] if self.in_flight else []
        enough, began = self._spare() // 2, monotonic()
        while self.in_flight:
            most = GATHER_BUSY_SECONDS if self._all_work() else GATHER_SECONDS
            left = began + most - monotonic() if len(answered) < enough else 0
            try:
                answered.append(self._next(max(0, left)))
            except Empty:
                break
        return answered

    def _all_work(self) -> bool:
        """Return whether every worker has a call to make, and another one waits for a worker."""
        return len(self.in_flight) - self.done.qsize() > self.bounds.limits.workers

    def _next(self, seconds: float | None) -> tuple[ClaimedPayment, Answer]:
        future = self.done.get(timeout=seconds)
        return self.in_flight.pop(future), future.result()
