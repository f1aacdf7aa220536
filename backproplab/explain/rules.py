"""The rules of differentiation in general form, by the names that trace.py gives to edges."""

from __future__ import annotations

GENERAL = {
    "sum": "d(u + v)/du = 1",
    "product": "d(u * v)/du = v",
    "quotient": "d(u / v)/du = 1 / v",
    "power": "d(u ** n)/du = n * u ** (n - 1)",
    "choice": "du/du = 1 if u is chosen, else 0",
    "chain: sin'": "d(sin(u))/du = cos(u)",
    "chain: cos'": "d(cos(u))/du = -sin(u)",
    "chain: exp'": "d(exp(u))/du = exp(u)",
    "chain: log'": "d(log(u))/du = 1 / u",
    "chain: tanh'": "d(tanh(u))/du = 1 - tanh(u) ** 2",
    "chain: sigmoid'": "d(sigmoid(u))/du = sigmoid(u) * (1 - sigmoid(u))",
    "chain: relu'": "d(relu(u))/du = 1 if u > 0, else 0",
    "chain: sum'": "d(u1 + ... + un)/du1 = 1",
    "chain: mean'": "d(mean(u))/du1 = 1 / n",
    "chain: softmax'": "dp/du = diag(p) - p p^T",
    "chain: logsumexp'": "d(logsumexp(u))/du = softmax(u)",
}
