"""Charts: what TensorBoard's Custom Scalars shows: train against validation, layers together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backproplab.learners import COUNTERS
from backproplab.telemetry.figures import PREFIX

Charts = Mapping[str, Mapping[str, Sequence[str]]]

KINDS = {
    "weight_norm": "Norm of the weights",
    "gradient_norm": "Norm of the gradient",
    "update_ratio": "Update, as a share of the weights",
    "activation_mean": "Mean of the activations",
    "activation_std": "Spread of the activations",
    "z_mean": "Mean of z, before the activation",
    "z_std": "Spread of z, before the activation",
    "dL_dz_mean": "Mean of ∂L/∂z",
    "dL_dz_std": "Spread of ∂L/∂z",
    "dead_units": "Dead units",
    "saturated_units": "Saturated units",
    "saturated_values": "Saturated values",
}
ON_REQUEST = {"jacobian": "Mean singular value of ∂outputs/∂inputs"}


def charts(columns: Sequence[str], jacobians: bool) -> Charts:
    """By category and title, the tags of a chart, as regular expressions.

    columns: of metrics.csv; each but the counters is a curve of train and one of validation.
    The same for all runs, so that TensorBoard, which joins the layouts of all, shows them once.
    """
    counters = [counter.name for counter in COUNTERS]
    measured = [name for name in columns if name not in counters]
    kinds = KINDS | (ON_REQUEST if jacobians else {})
    return {
        "train and validation": {name: [f"epoch_{name}$"] for name in measured},
        "layer by layer": {title: [rf"{PREFIX}/{kind}/.+"] for kind, title in kinds.items()},
    }
