"""The fast path: record a step once, replay it into kept buffers."""

from backproplab.autograd.replay.replay import RecordingError, Replay

__all__ = ["RecordingError", "Replay"]
