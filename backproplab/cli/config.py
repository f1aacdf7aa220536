"""backproplab config: write a first config, print a resolved one or the schema for editors."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)

BUNDLED = """\
  name: digits               # digits iris wine breast_cancer diabetes fashion_mnist mnist
                             # circle xor gauss spiral plane bumps moons sine linear
"""
TABLE = """\
  path: {path}
  # target: NAME             # the column to predict: backproplab data show says which, and why
  # columns: {{zip: categorical, income: log, d: {{date: '%d.%m.%Y'}}, note: ignore}}
  # split: stratified        # random, {{group: COLUMN}}, {{time: COLUMN}}, {{column: COLUMN}}
"""
TEMPLATE = """\
# backproplab train {name}
seed: 42

data:
{data}\
  validation_split: 0.2
  standardize: true

model:
  hidden: [32]               # widths of the hidden layers; or layers: [{{dense: 32}}, relu, …]
  activation: relu           # relu leaky_relu elu selu gelu silu softplus softsign tanh sigmoid
  initializer: glorot_uniform

loss: auto                   # softmax_cross_entropy, binary_cross_entropy or mse, from the data
optimizer: adam              # sgd momentum nesterov adam adamw nadam rmsprop adagrad lion …;
                             # or {{name: adam, beta_1: 0.9, flavor: torch}}
learning_rate: 0.001
# schedule: cosine           # step exponential one_cycle reduce_on_plateau …
# clipping: {{global_norm: 1}}
batch_mode: minibatch        # batch | stochastic | minibatch
batch_size: 32
epochs: 10
# evaluate_every: log        # evaluate within epochs, too: every n updates, or spaced in log

# early_stopping: {{monitor: val_loss, patience: 3, restore_best_weights: true}}
tensorboard:
  update_freq: epoch         # batch, or every n updates: also the scalars of single updates
  histograms: looks          # at the first, middle and last look; or every n epochs; 0 for none
  telemetry: true            # what happens in each layer, at a few looks
"""


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="The file to write.")] = Path("config.yaml"),
    data: Annotated[
        Path | None,
        typer.Option(metavar="FILE|FOLDER/", help="A table, arrays or images to learn from."),
    ] = None,
) -> None:
    """Write a commented config to start from. An existing file is not changed."""
    from backproplab.errors import RefusedError
    from backproplab.files import write_atomic
    from backproplab.text import typed

    if path.exists() or path.is_symlink():
        raise RefusedError(f"{path} exists already; choose another name")
    section = _own(path, data) if data else BUNDLED
    write_atomic(path, TEMPLATE.format(name=shlex.quote(str(path)), data=section))
    typer.echo(f"wrote {path}; train it with: {typed('backproplab', 'train', path)}")


def _own(config: Path, data: Path) -> str:
    """The keys of data in a file or folder. Raises ConfigError for what no data set reads."""
    from backproplab.data import Dataset, TableFile
    from backproplab.errors import ConfigError, Problem

    beside = config.parent == Path() and not data.is_absolute()
    named = f"{data if beside else data.absolute()}{'/' * data.is_dir()}"
    reader = Dataset.reader(named)
    if not reader:
        raise ConfigError(Problem(f"--data {data}", Dataset.unknown(named), Dataset.nearest(named)))
    quoted = json.dumps(named, ensure_ascii=False)
    is_table = issubclass(Dataset.members[reader], TableFile)
    return TABLE.format(path=quoted) if is_table else f"  path: {quoted}\n"


@app.command()
def show(
    path: Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file.")],
    overrides: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...")] = None,
) -> None:
    """Print the resolved config: every key with the value that a run would use."""
    from backproplab import config

    typer.echo(config.to_yaml(config.load(path, *(overrides or []))), nl=False)


@app.command()
def schema() -> None:
    """Print the JSON schema of a config, with which editors complete and check."""
    from backproplab.config import Experiment

    typer.echo(json.dumps(Experiment.model_json_schema(), indent=2))
