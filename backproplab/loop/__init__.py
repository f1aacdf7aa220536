"""Training: the loop, the runs in it, and what looks at them."""

from backproplab.loop.callbacks import EPOCH, Callback, Display, Every, Log, When
from backproplab.loop.early_stopping import Best, EarlyStopping, Patience
from backproplab.loop.lane import Lane, Length, Progress
from backproplab.loop.loop import Loop
from backproplab.loop.observer import Observer
from backproplab.loop.pace import Pace
from backproplab.loop.trajectory import Trajectory
from backproplab.loop.whereabouts import Whereabouts

__all__ = [
    "EPOCH",
    "Best",
    "Callback",
    "Display",
    "EarlyStopping",
    "Every",
    "Lane",
    "Length",
    "Log",
    "Loop",
    "Observer",
    "Pace",
    "Patience",
    "Progress",
    "Trajectory",
    "When",
    "Whereabouts",
]
