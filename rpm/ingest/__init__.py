"""Admits what arrives, and says so only after it is kept."""
