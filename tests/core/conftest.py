"""The core's properties are many and small: fewer examples each."""

from hypothesis import settings

settings.register_profile("core", settings.get_profile("capc"), max_examples=60)
settings.load_profile("core")
