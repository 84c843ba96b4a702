"""The cloud: admits, stores, judges, shows, bills."""
