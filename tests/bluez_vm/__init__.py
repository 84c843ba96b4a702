"""BlueZ's own stack, in a machine of its own: `make bluez`."""
