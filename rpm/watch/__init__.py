"""The watcher: a small program on another host, with another provider, that alarms when the pipeline falls silent (F61, F67)."""
