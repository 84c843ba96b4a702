"""Everything is broken in turn while people go on measuring, and an oracle that knows nothing of the pipeline looks."""
