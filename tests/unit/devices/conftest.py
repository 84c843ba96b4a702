"""The fuzzer where there is one."""

from importlib.util import find_spec

#: Atheris is built for Linux on x86-64 alone; elsewhere test_round_trips tries any bytes, less cleverly.
collect_ignore = [] if find_spec("atheris") else ["test_fuzz.py"]
