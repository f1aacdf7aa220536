"""Crews: which runs are handed out together, to be trained in lockstep.

This file must not know who trains them.
"""

from __future__ import annotations

from itertools import islice

from backproplab.data import Fold
from backproplab.errors import BackpropLabError
from backproplab.experiment.crew import MOST, crew_size, shape_of
from backproplab.sweep.session import Job, SweepFolder


class Crews:
    """Takes runs of one shape, at one step and epoch, from those that are ready.

    alone: runs that are handed out alone, because they failed with others.
    """

    def __init__(self, folder: SweepFolder) -> None:
        self.folder = folder
        self.lockstep = folder.sweep.lockstep
        self.alone: set[str] = set()
        self._shapes: dict[tuple[int, Fold | None], str] = {}  # by trial and fold
        self._sizes: dict[str, int] = {}  # by shape

    def take(self, ready: list[Job], slots: int) -> list[Job]:
        """The next crew, removed from ``ready``; small enough that all slots get their part."""
        first = ready[0]
        if not self.lockstep or first.folder in self.alone:
            return [ready.pop(0)]
        alike = (job for job in ready if self._alike(job, first))
        found = list(islice(alike, MOST * slots))
        size = min(-(-len(found) // slots), self._size(first)) if len(found) > 1 else 1
        if len(found) <= size * slots:  # all begin now: those of one seed share data and draws
            found.sort(key=lambda job: job.repeat.suffix)
        crew = found[:size]
        taken = {job.folder for job in crew}
        ready[:] = [job for job in ready if job.folder not in taken]
        return crew

    def _alike(self, job: Job, first: Job) -> bool:
        if job.folder in self.alone or self._shape(job) != self._shape(first):
            return False
        return self.folder.reached(job).place == self.folder.reached(first).place  # in a file: last

    def _shape(self, job: Job) -> str:
        place = job.trial.number, job.repeat.fold
        if place not in self._shapes:
            self._shapes[place] = shape_of(job.experiment)
        return self._shapes[place]

    def _size(self, job: Job) -> int:
        shape = self._shape(job)
        if shape not in self._sizes:
            try:
                self._sizes[shape] = crew_size(job.experiment)
            except BackpropLabError:  # reported by the run itself
                self._sizes[shape] = 1
        return self._sizes[shape]
