"""Tests and benchmarks own their servers: the settings of whoever runs them stay outside."""

import os

#: Settings of the provisioner; every other setting of this machine's user is forgotten (TSDB_DSN first of all).
KEPT = {"RPM_LOCAL", "RPM_CHROMIUM", "RPM_DEBIAN_MIRROR", "RPM_DEBIAN_KEYRING", "RPM_DATABASE_USER"}


def forget_settings() -> None:
    """Forget them, in this process and those it starts."""
    for name in list(os.environ):
        if name == "TSDB_DSN" or (name.startswith("RPM_") and name not in KEPT):
            del os.environ[name]
