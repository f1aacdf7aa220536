"""A callback that ends a run at a chosen update, for tests of what a stopped run leaves."""

from backproplab.loop import Callback, Every


class StopAt(Callback):
    """Asks for the end after a number of updates, as a signal does; it has no state."""

    name = "stopper"
    when = Every(1)

    def __init__(self, step):
        self.step = step

    def look(self, lane):
        if lane.progress.step == self.step:
            lane.request_stop("signal")
