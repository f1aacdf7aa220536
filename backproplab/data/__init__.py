"""Data sets, their splits and scaling, and the order of the examples in an epoch.

Importing this room registers every data set in ``Dataset.members``.
"""

from backproplab.data import (  # noqa: F401  # imported to register their members
    array_files,
    bundled,
    given,
    image_folder,
    images,
    synthetic,
)
from backproplab.data.batching import (
    BatchMode,
    Order,
    batch_length,
    epoch_order,
    updates_per_epoch,
)
from backproplab.data.dataset import (
    Dataset,
    Examples,
    Others,
    Pixels,
    RawData,
    RegressionDataset,
    Splits,
)
from backproplab.data.folders import holds_images
from backproplab.data.folds import Fold
from backproplab.data.given import labels_of
from backproplab.data.loading import load
from backproplab.data.playground import expand
from backproplab.data.preparation import Preparation
from backproplab.data.tabular import Csv, Parquet, TableData, TableFile
from backproplab.task import Task

__all__ = [
    "BatchMode",
    "Csv",
    "Dataset",
    "Examples",
    "Fold",
    "Order",
    "Others",
    "Parquet",
    "Pixels",
    "Preparation",
    "RawData",
    "RegressionDataset",
    "Splits",
    "TableData",
    "TableFile",
    "Task",
    "batch_length",
    "epoch_order",
    "expand",
    "holds_images",
    "labels_of",
    "load",
    "updates_per_epoch",
]
