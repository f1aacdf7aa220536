"""Baselines: what a network should beat, fitted by scikit-learn in one step.

A fit is not kept: it is made again after a resume, to the same bits, from data, seed and settings.
This is the only importer of scikit-learn's estimators, which are loaded when one is fitted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor
from backproplab.errors import Problem
from backproplab.learners.learner import Advance, Arrays, Brake, Json, Learner, Learning, Span
from backproplab.learners.material import Material
from backproplab.nn import Loss
from backproplab.nn.losses import MeanSquaredError
from backproplab.passes import Passes
from backproplab.spec import Count
from backproplab.task import Task


class NegativeLogLikelihood(Loss):
    """-ln p[label], on probabilities: ∞ where an estimator says that the class cannot be."""

    name = "log_loss"

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """targets: one-hot rows (…, batch, classes)."""
        p = np.where(targets.value > 0, outputs.value, 1.0)
        with np.errstate(divide="ignore"):
            return Tensor(-np.sum(targets.value * np.log(p), axis=-1))


class Baseline(Learner, family=True):
    """A learner that scikit-learn fits in one step; further steps change nothing.

    It is measured like a network: by -ln p of the class, or by the mean squared error. An embedded
    category is one-hot.
    codes: most codes of a category that it takes as it is instead.
    """

    unit = "fit"
    timed = True
    weighs = True
    takes_codes = True
    codes: ClassVar[int] = 0

    @property
    def most_steps(self) -> int:
        return 1

    @property
    def pace(self) -> int:
        return 1

    @property
    def subject(self) -> str:
        return str(self.name)

    def loss(self, chosen: Loss, task: Task) -> Loss:
        return NegativeLogLikelihood() if task.kind == "classification" else MeanSquaredError()

    def estimator(self, classifies: bool, seed: int) -> Any:
        """An estimator of scikit-learn that is not fitted. seed: of its random choices."""
        raise NotImplementedError

    def memory(self, material: Material) -> int:
        """Of the columns for codes, float64, once and as the estimator copies them."""
        width = sum(count - 1 for _, count, _ in material.embedded if count > self.codes)
        return 16 * len(material.train) * width

    def begin(self, material: Material) -> Fitting:
        return Fitting(self, material)


class Majority(Baseline, name="majority"):
    """Each class as often as in training, whatever the inputs; of a regression the mean."""

    def estimator(self, classifies: bool, seed: int) -> Any:
        from sklearn.dummy import DummyClassifier, DummyRegressor

        return DummyClassifier(strategy="prior") if classifies else DummyRegressor()


class Linear(Baseline, name="linear"):
    """Logistic regression with scikit-learn's L2 penalty; of a regression least squares."""

    iterations: Count = 1000

    def estimator(self, classifies: bool, seed: int) -> Any:
        from sklearn.linear_model import LinearRegression, LogisticRegression

        return LogisticRegression(max_iter=self.iterations) if classifies else LinearRegression()


class RandomForest(Baseline, name="random_forest"):
    """Trees on random rows, each split on random features; Breiman 2001. trees: how many."""

    trees: Count = 100

    def estimator(self, classifies: bool, seed: int) -> Any:
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        kind = RandomForestClassifier if classifies else RandomForestRegressor
        return kind(self.trees, random_state=seed)


class GradientBoosting(Baseline, name="gradient_boosting"):
    """Trees one after the other, each on what is left: scikit-learn's HistGradientBoosting.

    iterations: trees of each class. A split on an embedded category divides its texts.
    """

    codes = 255

    iterations: Count = 100

    def problems(self, material: Material) -> list[Problem]:
        task = material.task
        if task.kind == "classification" or task.outputs == 1:
            return []
        what = f"learner: {self.name} predicts one number, the data are a {task}"
        return [Problem("", what, "use random_forest")]

    def estimator(self, classifies: bool, seed: int) -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        kind = HistGradientBoostingClassifier if classifies else HistGradientBoostingRegressor
        return kind(max_iter=self.iterations, random_state=seed)


class Fitting(Learning):
    """A baseline at work.

    outputs: its answers to the training examples, which identify the fit.
    """

    def __init__(self, settings: Baseline, material: Material) -> None:
        self.settings, self.material = settings, material
        self.outputs = np.zeros((len(material.train), material.task.outputs), material.dtype)
        self.is_fitted = False
        self._estimator: Any = None
        places = [(place, count) for place, count, _ in material.embedded]
        self._split = [(place, count) for place, count in places if count > settings.codes]
        gone = [place for place, _ in self._split]
        self._whole = [  # the columns of codes that stay, among those that stay
            place - sum(other < place for other in gone)
            for place, count in places
            if count <= settings.codes
        ]

    @property
    def weights(self) -> Arrays:
        return {"baseline/training_outputs": self.outputs}

    @property
    def size(self) -> int:
        return 0

    def advance(self, span: Span, wanted: Mapping[str, int], brake: Brake) -> Advance:
        if not self.is_fitted:
            self.is_fitted = True
            np.copyto(self.outputs, self.predict(self.material.train.inputs))
        return Advance(done=span.steps)

    def _fitted(self) -> Any:
        """The estimator, fitted once in a process."""
        if self._estimator is None:
            train, loss = self.material.train, self.material.loss
            assert loss is not None
            seed = int(self.material.stream("learner").integers(2**31))
            estimator = self.settings.estimator(self._classifies, seed)
            if self._whole:
                estimator.set_params(categorical_features=self._whole)
            targets = train.targets if self._classifies else _column(train.targets)
            weights = loss.sample_weights(train.encoded)
            inputs = self._flat(train.inputs)
            self._estimator = estimator.fit(inputs, targets, sample_weight=weights)
        return self._estimator

    def _flat(self, inputs: Array) -> Array:
        """(n, features) in float64; the code 0 of an embedded category is in no column."""
        flat = inputs.reshape(len(inputs), -1).astype(np.float64)
        if not self._split:
            return flat
        codes = [flat[:, [place]] == np.arange(1, count) for place, count in self._split]
        others = np.delete(flat, [place for place, _ in self._split], axis=1)
        return np.hstack([others, *codes])

    @property
    def _classifies(self) -> bool:
        return self.material.task.kind == "classification"

    def predict(self, inputs: Array) -> Array:
        """Probabilities of all classes, or numbers, (n, outputs); 0 before the fit."""
        found = np.zeros((len(inputs), self.material.task.outputs), self.material.dtype)
        if self.is_fitted and self._classifies:
            estimator = self._fitted()
            found[:, estimator.classes_] = estimator.predict_proba(self._flat(inputs))
        elif self.is_fitted:
            found[...] = self._fitted().predict(self._flat(inputs)).reshape(found.shape)
        return found

    def passes(self, steps: int, examples: int) -> Passes:
        return Passes()

    def state(self) -> tuple[Arrays, Json]:
        return {"outputs": self.outputs}, {"is_fitted": self.is_fitted}

    def restore(self, arrays: Arrays, state: Json) -> None:
        np.copyto(self.outputs, arrays["outputs"])
        self.is_fitted = bool(state["is_fitted"])

    def __str__(self) -> str:
        return self.settings.subject


def _column(targets: Array) -> Array:
    """One target as (n,), several as (n, targets), in float64."""
    return (targets[:, 0] if targets.shape[1] == 1 else targets).astype(np.float64)
