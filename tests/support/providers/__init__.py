"""Providers of texts and calls as they speak on the wire, for tests here and for integrators (README of tests/support)."""
