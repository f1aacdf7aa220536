"""Random guess: weights drawn at random, again and again; the best ones are kept."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from backproplab.learners.learner import Advance, Arrays, Brake, Json, Span
from backproplab.learners.material import Material
from backproplab.learners.searching import Search, Searching
from backproplab.spec import Positive
from backproplab.streams import restore_state, state_of


class RandomGuess(Search, name="random_guess"):
    """θ ~ N(0, scale² I), independently for each guess; the one of least training loss is kept.

    scale: the standard deviation of every weight and bias.
    """

    scale: Positive = 1.0

    unit = "guess"

    def begin(self, material: Material) -> Guessing:
        return Guessing(self, material)


class Guessing(Searching):
    """Random guesses, many of them computed at once.

    least: the training loss of the best guess; ∞ before the first one.
    """

    def __init__(self, settings: RandomGuess, material: Material) -> None:
        super().__init__(material)
        self.settings = settings
        self.least = math.inf

    def advance(self, span: Span, wanted: Mapping[str, int], brake: Brake) -> Advance:
        made = Advance()
        while made.done < span.steps and not (made.done and brake.between_steps()):
            before = state_of(self.chance)
            count = min(span.steps - made.done, self.losses.members)
            guesses = self.noise(count)
            guesses *= self.settings.scale
            losses = self.losses_of(guesses, brake)
            if losses is None:
                restore_state(self.chance, before)
                break
            least = np.minimum.accumulate([self.least, *losses])
            for better in np.flatnonzero(losses < least[:-1]):
                self.least = float(losses[better])
                self.parameters.flat[...] = guesses[better]
                made.report("guess_loss", span.start + made.done + int(better) + 1, self.least)
            made.done += count
        return made

    def state(self) -> tuple[Arrays, Json]:
        arrays, state = super().state()
        return arrays, state | {"least": self.least.hex()}

    def restore(self, arrays: Arrays, state: Json) -> None:
        super().restore(arrays, state)
        self.least = float.fromhex(state["least"])
