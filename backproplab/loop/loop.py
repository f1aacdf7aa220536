"""Loop: spans of steps, looks in between, an evaluation after each epoch, a commit when it is due.

It trains lanes: one is an ordinary run, several are a crew whose learner advances them together.
This file must not know how weights are found, how anything is written, nor YAML.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

import numpy as np

from backproplab.learners import Learner, Learning, Span
from backproplab.loop.callbacks import Display
from backproplab.loop.lane import Arriving, Lane, together
from backproplab.loop.pace import Pace
from backproplab.status import Status

# how a run ends by its reason; completed by any other
ENDS = {
    "signal": Status.INTERRUPTED,
    "slice": Status.PAUSED,
    "non_finite": Status.DIVERGED,
    "rank": Status.FAILED,
}


class Loop:
    """Trains lanes to their ends.

    learner: of all of them; several need one that stacks, and the same position.
    pace: signals, the clock and the disk: when to stop and when to save.
    """

    def __init__(
        self,
        learner: Learner,
        lanes: Sequence[Lane],
        pace: Pace | None = None,
        displays: Sequence[Display] = (),
    ) -> None:
        self.learner = learner
        self.lanes = list(lanes)
        self._waiting = self.lanes.copy()
        self.pace = pace or Pace()
        self.displays = list(displays)
        self.pace.watch([display.seconds for display in displays])
        self._clock = 0.0

    def run(self) -> Iterator[Lane]:
        """Train; each lane is given back when it has ended, its position committed.

        A lane whose own end fails is given back as failed, with its ``error``. Raises what a
        callback or the journal raises before, and StopNow; then every lane that has not ended is
        failed, or interrupted, and has its last commit only.
        """
        try:
            while self.lanes:
                with np.errstate(all="ignore"):  # every step looks for NaN and infinity
                    self._train_together()
                for lane in [lane for lane in self.lanes if lane.ended]:
                    self.lanes.remove(lane)
                    self._end(lane)
                    yield lane
        except BaseException as error:
            self._give_up(error)
            raise

    def _train_together(self) -> None:
        """Advance all lanes until the first of them ends."""
        if any(lane.ended for lane in self.lanes):
            self._start()
            return
        crew = len(self.lanes) > 1
        if len({(lane.progress.epoch, lane.progress.step) for lane in self.lanes}) > 1:
            raise ValueError("the runs of a crew are at different steps, or epochs")
        members = [lane.learning for lane in self.lanes]
        learning = self.learner.stack(members) if crew else members[0]
        _share_orders(self.lanes)
        self._start()
        while not any(lane.ended for lane in self.lanes):
            if self.lanes[0].epoch_is_over or self.lanes[0].evaluation_is_due:
                self._measure(learning)
            else:
                self._advance(learning)
            if any(lane.ends_within_epoch for lane in self.lanes):
                self._measure(learning)
            self._react()
        for number, lane in enumerate(self.lanes if crew else ()):
            learning.part(number)
            if not lane.ended:  # the order of one that has ended moves no more
                lane.order = deepcopy(lane.order)

    def _start(self) -> None:
        """Once, and with the vectors of a crew together: what callbacks look at is computed so."""
        starting, self._waiting = self._waiting, []
        for lane in starting:
            for callback in lane.callbacks:
                callback.start(lane)
            lane.journal.check(lane.position)  # now, and not at the first commit
            self._show("start", lane)
        if starting:
            self._clock = time.perf_counter()

    def _advance(self, learning: Learning) -> None:
        """One span, up to the next look."""
        lanes, start = self.lanes, self.lanes[0].progress.step
        steps = min(lane.next_look() for lane in lanes) - start
        wanted = together([lane.wanted for lane in lanes])
        made = learning.advance(self._span(start, steps), wanted, self.pace)
        for number, found in made.diverged.items():
            lane = lanes[number]
            lane.order = deepcopy(lane.order)  # it ends at another step than the others
            done = found.step - start
            own = _of(number, made.scalars, len(lanes), found.step)
            lane.moved(done, lane.order.done(done) if lane.order else 0, own)
            lane.diverged(found)
        live = [(n, lane) for n, lane in enumerate(lanes) if n not in made.diverged]
        examples = {o: o.done(made.done) for o in dict.fromkeys(x.order for _, x in live) if o}
        for number, lane in live:
            seen = examples[lane.order] if lane.order else 0
            lane.moved(made.done, seen, _of(number, made.scalars, len(lanes)))
            if number in made.ended:
                lane.request_stop(made.ended[number])
            self._show("glance", lane)
        if not (made.done or made.diverged or made.ended or self.pace.between_steps()):
            raise RuntimeError(f"the learner {self.learner.name} does no step, and does not end")

    def _span(self, start: int, steps: int) -> Span:
        orders = [lane.order for lane in self.lanes if lane.order]
        if not orders:
            return Span(start, steps)
        drawn = {order: order.upcoming(steps) for order in dict.fromkeys(orders)}
        rows = [drawn[order] for order in orders]
        stacked = rows[0] if len(rows) == 1 else np.stack(rows)
        return Span(start, steps, stacked, orders[0].length, whole=orders[0].mode == "batch")

    def _measure(self, learning: Learning) -> None:
        """Evaluate, and close an epoch that is over.

        A signal may end the evaluation: then a resumed run makes it. An epoch that a callback or
        the learner ends early is closed for its lane alone.
        """
        found = {}
        for split in self.lanes[0].journal.splits:
            rows = learning.measure(split, self.pace)
            if rows is None:
                return
            found[split] = rows
        self._take_time()
        for number, lane in enumerate(self.lanes):
            own = {split: rows[number] for split, rows in found.items()}
            lane.evaluated(own)
            if not lane.closes_epoch:
                continue
            lane.close_epoch(own)
            self._show("epoch", lane)
            lane.judge()

    def _take_time(self) -> None:
        """The time since the last look at the clock, shared by the lanes."""
        before, self._clock = self._clock, time.perf_counter()
        for lane in self.lanes:
            lane.progress.seconds += (self._clock - before) / len(self.lanes)

    def _react(self) -> None:
        """Do what the pace asks for, at this step of every lane."""
        asked = self.pace.ask()
        if asked.stop:
            self._take_time()
            for lane in self.lanes:
                lane.signal = asked.signal
                lane.request_stop(asked.stop)
        elif asked.save and not any(lane.ended for lane in self.lanes):
            with self.pace.saving():
                for lane in self.lanes:
                    lane.journal.commit(lane.position)

    def _end(self, lane: Lane) -> None:
        """A lane has ended by itself: commit its last position, and finish its callbacks."""
        lane.progress.status = ENDS.get(lane.progress.stop_reason, Status.COMPLETED)
        try:
            with self.pace.saving():
                lane.journal.commit(lane.position)
            _finish(lane)
        except Exception as error:
            lane.error = error
            lane.give_up(error)
        self._show("finish", lane)

    def _give_up(self, error: BaseException) -> None:
        """Every lane that has not ended is over."""
        for lane in self.lanes:
            lane.give_up(error)
            try:
                _finish(lane)
            except Exception:  # the first error is the one that is raised
                continue
            finally:
                self._show("finish", lane)

    def _show(self, moment: str, lane: Lane) -> None:
        """What people see; a display that fails, as when its pipe is gone, is left out then."""
        for display in list(self.displays):
            try:
                getattr(display, moment)(lane)
            except Exception:
                self.displays.remove(display)


def _finish(lane: Lane) -> None:
    """Every callback finishes, whatever another one does; the first error is raised then."""
    errors = []
    for callback in lane.callbacks:
        try:
            callback.finish(lane)
        except Exception as error:
            errors.append(error)
    if errors:
        raise errors[0]


def _share_orders(lanes: Sequence[Lane]) -> None:
    """Lanes whose orders are at the same place draw their batches once."""
    first: dict[object, object] = {}
    for lane in lanes if len(lanes) > 1 else ():
        if lane.order:
            lane.order = first.setdefault(lane.order.place, lane.order)  # type: ignore[assignment]


def _of(number: int, scalars: Arriving, lanes: int, last: float = math.inf) -> Arriving:
    """The scalars of one lane up to step ``last``: of a crew each value holds one for each."""
    if last < math.inf:
        scalars = {n: _until(last, *series) for n, series in scalars.items()}
    if lanes == 1:
        return scalars
    return {name: (steps, [x[number] for x in values]) for name, (steps, values) in scalars.items()}


def _until(last: float, steps: Sequence[int], values: Sequence[Any]) -> tuple[list[int], list[Any]]:
    kept = [(step, value) for step, value in zip(steps, values, strict=True) if step <= last]
    return [step for step, _ in kept], [value for _, value in kept]
