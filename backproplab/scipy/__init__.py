"""SciPy's functions on tensors: ``special``, ``stats``, ``linalg``, ``signal``, ``integrate``.

They have SciPy's names and arguments and are made of ops. The ufuncs of ``scipy.special`` itself
take tensors too; what is no ufunc, such as logsumexp, is only here.
"""

from backproplab.scipy import integrate, linalg, signal, special, stats

__all__ = ["integrate", "linalg", "signal", "special", "stats"]
