"""The verbs of `rpm-cloud`: one module each, with `register(app)`."""
