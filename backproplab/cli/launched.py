"""The ranks that train together, where mpiexec has started several processes of this command."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backproplab.ranks import Ranks


def launched() -> Ranks:
    """The ranks of mpiexec; one without it.

    Raises ConfigError if MPI is missing, or is another one than the launcher's.
    """
    from backproplab.environment import launched_processes
    from backproplab.errors import ConfigError
    from backproplab.ranks import ONE, open_ranks

    count = launched_processes()
    if count == 1:
        return ONE
    ranks = open_ranks()
    if ranks.size != count:
        what = f"{count} processes were launched, and mpi4py knows of {ranks.size}"
        raise ConfigError(f"{what}: use the mpiexec of the MPI that mpi4py was installed with")
    return ranks
