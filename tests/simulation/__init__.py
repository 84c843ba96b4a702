"""The way of a reading from outbox to receipt, by a clock and over a network that are drawn from a seed."""
