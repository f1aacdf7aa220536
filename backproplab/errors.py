"""Every error that a user can meet, and the exit code that it ends the program with.

BackpropLabError            1   failed: a check, a trial, a bug
├── GraphError              1   the autograd was asked for something it cannot do
├── ConfigError             2   a config or command line that cannot be run (nothing was written)
├── DivergedError           3   training left the finite numbers
├── DataError               4   a data file that cannot be used
├── RunError                5   a run or checkpoint that is unusable, locked or of another run
│   └── DamageError         5   a file of a run that is cut, changed or gone
├── MachineError            6   the machine's limit: disk, permission, memory
├── RefusedError            7   refused for safety
├── FinishedError           0   there is nothing left to do
├── RankError               1   another process of the same training has failed (or its exit code)
└── StoppedError          130   stopped by a signal (143 for SIGTERM, 129 for SIGHUP)

This file imports nothing of the house.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import ClassVar


class BackpropLabError(Exception):
    """An error reported in one line: what is wrong, where, and what to do next."""

    exit_code: ClassVar[int] = 1


class GraphError(BackpropLabError):
    """The autograd was asked for something it cannot do."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with an input.

    where: ``file:line:column``, a file, or a command-line word; may be empty.
    what: the fault, with the valid values.
    hint: what to do next; may be empty.
    """

    where: str
    what: str
    hint: str = ""

    @classmethod
    def plain(cls, what: str) -> Problem:
        """A problem whose text says all."""
        return cls("", what)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text} — {self.hint}" if self.hint else text


class ConfigError(BackpropLabError):
    """A config or command line that cannot be run; holds every problem found, not the first."""

    exit_code = 2

    def __init__(self, *problems: Problem | str) -> None:
        self.problems = tuple(Problem("", p) if isinstance(p, str) else p for p in problems)
        super().__init__("\n".join(map(str, self.problems)))


class DivergedError(BackpropLabError):
    """The loss, a gradient or a weight stopped being a finite number."""

    exit_code = 3


class DataError(BackpropLabError):
    """A data file is missing, damaged, or does not hold what it promises."""

    exit_code = 4


class RunError(BackpropLabError):
    """A run or checkpoint is unusable, locked, or belongs to another run."""

    exit_code = 5


class DamageError(RunError):
    """A file of a run is not what was written: cut, changed, or gone."""


class MachineError(BackpropLabError):
    """The machine cannot: disk full, no permission, out of memory."""

    exit_code = 6


class RefusedError(BackpropLabError):
    """The command could destroy something that is not ours, so it does nothing."""

    exit_code = 7


class FinishedError(BackpropLabError):
    """What was asked for is there already: no failure."""

    exit_code = 0


class RankError(BackpropLabError):
    """Another process that trains the same network has failed, or all of them disagree."""

    @classmethod
    def of(cls, rank: int, text: str, exit_code: int, trace: str) -> RankError:
        """The error of this rank, with its exit code, and its traceback as a note."""
        error = cls(f"rank {rank}: {text}")
        error.exit_code = exit_code  # type: ignore[misc]  # per error, not per class
        error.add_note(trace)
        return error


class StoppedError(BackpropLabError):
    """A signal stopped the work; the message says what is saved."""

    def __init__(self, message: str, signal_number: int = 2) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number  # type: ignore[misc]  # per signal, not per class


def described(error: BaseException) -> str:
    """A fault that users can meet by its message; any other also by its kind and place."""
    if isinstance(error, BackpropLabError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"


def reason(error: Exception) -> str:
    """What went wrong: the system's words for an OSError, else the message; no capital first."""
    text = getattr(error, "strerror", None) or str(error)
    return text[:1].lower() + text[1:]


# what people type who come from elsewhere -> what it may be here; without capitals, _ and -
SYNONYMS = {
    squashed: names.split()
    for names, words in {
        "learning_rate": "lr eta stepsize learningrateinit",
        "batch_size": "batch bs batchsize minibatchsize perdevicetrainbatchsize",
        "batch_mode": "mode",
        "optimizer": "opt optim solver",
        "schedule": "scheduler lrscheduler lrschedule learningrateschedule",
        "initializer": "init kernelinitializer weightinit initialization",
        "epochs": "nepochs numepochs maxepochs numtrainepochs epoch maxiter niter",
        "steps": "maxsteps nsteps numsteps iterations",
        "seed": "randomstate randomseed rngseed",
        "loss": "criterion lossfn lossfunction objective",
        "data": "dataset datasets",
        "model": "network net architecture arch",
        "hidden": "hiddenlayers hiddenlayersizes hiddensizes hiddenunits hiddendims hiddensize",
        "activation": "act activationfunction nonlinearity",
        "validation_split": "valsplit validationfraction validsize valsize",
        "test_split": "testsize testfraction",
        "standardize": "normalize scale standardscaler",
        "path": "dir folder root datadir dataroot",
        "clipping": "clip gradclip gradientclip gradientclipval maxgradnorm clipnorm clipvalue",
        "accumulate": "gradientaccumulationsteps accumulategradbatches",
        "dtype": "precision",
        "early_stopping": "earlystop earlystoppingcallback",
        "min_delta": "tol",
        "warmup_steps": "warmup warmupiters numwarmupsteps",
        "decay_steps": "tmax totaliters totalsteps",
        "every": "stepsize interval",
        "factor rate": "gamma decayrate",
        "boundaries": "milestones",
        "cooldown": "cooldownepochs",
        "epsilon": "eps",
        "beta_1": "beta1 b1 betas",
        "beta_2": "beta2 b2",
        "momentum": "mu",
        "rho alpha": "decay smoothing",
        "l2": "l2reg reg regularization alphal2",
        "units": "outfeatures features width size neurons nunits",
        "filters": "outchannels channels",
        "kernel": "kernelsize",
        "strides stride": "stride strides",
        "rate": "p prob dropoutrate",
        "bias": "usebias",
        "dense": "linear fc fullyconnected",
        "conv2d": "conv convolution conv2dlayer",
        "batch_norm": "bn batchnorm1d batchnorm2d batchnormalization",
        "layer_norm": "ln layernormalization",
        "max_pool": "maxpool maxpool2d maxpooling2d",
        "linear": "identity none",
        "silu": "swish",
        "leaky_relu": "lrelu",
        "glorot_uniform": "xavier xavieruniform glorot",
        "glorot_normal": "xaviernormal",
        "he_normal": "he kaiming kaimingnormal",
        "he_uniform": "kaiminguniform",
        "mse": "meansquarederror mseloss l2loss squarederror",
        "mae": "meanabsoluteerror l1loss l1",
        "softmax_cross_entropy": "crossentropy crossentropyloss categoricalcrossentropy "
        "sparsecategoricalcrossentropy nll logloss nllloss",
        "binary_cross_entropy": "bce bceloss bcewithlogits bcewithlogitsloss binarycrossentropy",
        "huber": "huberloss smoothl1 smoothl1loss",
        "constant": "constantlr fixed",
        "cosine": "cosineannealing cosineannealinglr cosinedecay",
        "cosine_restarts": "cosineannealingwarmrestarts cosinedecayrestarts sgdr",
        "step": "steplr",
        "exponential": "exponentiallr exponentialdecay",
        "piecewise": "multisteplr multistep piecewiseconstantdecay",
        "polynomial": "polynomiallr polynomialdecay lineardecay linearlr",
        "reduce_on_plateau": "reducelronplateau plateau",
        "one_cycle": "onecyclelr",
        "global_norm": "clipgradnorm clipglobalnorm",
        "breast_cancer": "cancer",
        "batch": "full fullbatch",
        "minibatch": "mini",
        "stochastic": "online single",
        "log_uniform": "log loguniform",
        "int_log": "intloguniform logint",
        "tpe": "bayes bayesian optuna",
        "qmc": "sobol",
        "cmaes": "cma",
        "asha": "successivehalving",
        "parameters": "params space searchspace",
        "num_trials": "ntrials trials numsamples maxevals",
        "grid": "paramgrid",
    }.items()
    for squashed in words.split()
}


def _squash(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.lower())


def synonyms(word: str) -> list[str]:
    """What a word of another tool may be called here."""
    return SYNONYMS.get(_squash(word), [])


def did_you_mean(word: str, valid: Iterable[str]) -> str:
    """``did you mean 'adam'?`` for the nearest valid name, or an empty string."""
    names = sorted(valid)
    same = [name for name in names if _squash(name) == _squash(word)]
    if known := [*same, *(name for name in synonyms(word) if name in names)]:
        return f"did you mean '{known[0]}'?"
    plain = word.strip().lower().replace("-", "_")
    near = get_close_matches(plain, names, n=3, cutoff=0.6)
    if not near:
        return ""
    swapped = max(near, key=lambda name: sorted(name) == sorted(plain))  # adma: adam, not adamax
    return f"did you mean '{swapped}'?"
