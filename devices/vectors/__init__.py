"""Conformance vectors, as data: see README.md beside this file."""
