"""The vectorised engine's properties run whole computations: fewer examples each."""

from hypothesis import settings

settings.register_profile("vectorised", settings.get_profile("capc"), max_examples=25)
settings.load_profile("vectorised")
