"""What a run writes while it trains: metrics, events, checkpoints. It must not know who reports."""

from backproplab.journal.checkpoint import Checkpoint, load
from backproplab.journal.journal import CHECKPOINTS, EVENTS, LAST, METRICS, PREVIOUS, Journal

__all__ = ["CHECKPOINTS", "EVENTS", "LAST", "METRICS", "PREVIOUS", "Checkpoint", "Journal", "load"]
