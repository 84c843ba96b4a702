"""Peripherals, people and faults that are not there, over a radio that is: bumble end to end."""
