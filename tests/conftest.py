"""What every test stands on: no deadline in Hypothesis (a busy machine is no bug), same cases."""

from hypothesis import settings

settings.register_profile("house", deadline=None, derandomize=True, print_blob=False)
settings.load_profile("house")
