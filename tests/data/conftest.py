"""Property tests of this folder never fail on time: CI machines are shared."""

from hypothesis import settings

settings.register_profile("data", deadline=None, max_examples=60)
settings.load_profile("data")
