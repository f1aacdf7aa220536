"""Values for ``EventWriter.summaries``: images and precision-recall curves.

Sources: tensorboard/plugins/{image,pr_curve}/summary.py. It must not know what is shown.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from backproplab.arrays import Array

THRESHOLDS = 64


def image(tag: str, png: bytes, height: int, width: int, description: str = "") -> Any:
    """A picture. description: Markdown."""
    from backproplab.journal.protos import DT_STRING

    content = [b"%d" % width, b"%d" % height, png]
    return _value(tag, "images", description, dtype=DT_STRING, shape=[3], string_val=content)


def pr_curve(tag: str, probabilities: Array, positive: Array, description: str = "") -> Any:
    """Precision and recall at thresholds evenly spaced from 0 to 1.

    probabilities (n,): of being positive.  positive (n,): whether it is.
    """
    from backproplab.journal.protos import DT_FLOAT, PrCurvePluginData

    rows = pr_rows(probabilities, positive)
    content = PrCurvePluginData(version=0, num_thresholds=THRESHOLDS).SerializeToString()
    shown = {"dtype": DT_FLOAT, "shape": rows.shape, "float_val": rows.ravel().tolist()}
    return _value(tag, "pr_curves", description, content, **shown)


def pr_rows(probabilities: Array, positive: Array) -> Array:
    """True and false positives, true and false negatives, precision, recall: (6, THRESHOLDS).

    At threshold k / (THRESHOLDS - 1) an example counts as positive from there on. Where nothing
    does, precision is 0.
    """
    level = np.floor(probabilities * (THRESHOLDS - 1)).astype(int)
    right, wrong = (
        np.bincount(level[chosen], minlength=THRESHOLDS)[::-1].cumsum()[::-1]
        for chosen in (positive, ~positive)
    )
    precision = right / np.maximum(right + wrong, 1)
    recall = right / max(right[0], 1)
    return np.stack([right, wrong, wrong[0] - wrong, right[0] - right, precision, recall])


def _value(
    tag: str, plugin: str, description: str, content: bytes = b"", shape: Any = (), **tensor: Any
) -> Any:
    from backproplab.journal.protos import Summary, SummaryMetadata, TensorProto, TensorShapeProto

    own = SummaryMetadata.PluginData(plugin_name=plugin, content=content)
    metadata = SummaryMetadata(plugin_data=own, summary_description=description)
    dims = TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in shape])
    return Summary.Value(
        tag=tag, metadata=metadata, tensor=TensorProto(tensor_shape=dims, **tensor)
    )
