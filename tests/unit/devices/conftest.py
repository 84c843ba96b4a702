"""Hypothesis without its clock: on a busy machine a slow example is no finding."""

from hypothesis import settings

settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
