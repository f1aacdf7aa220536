"""Build the player beside its source, as an installation does where there is a compiler.

python -m backproplab.autograd.engines.native
"""

import sys

from backproplab.autograd.engines.native.building import build

sys.exit(build() or None)
