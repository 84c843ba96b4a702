"""Properties of the source tree itself."""
