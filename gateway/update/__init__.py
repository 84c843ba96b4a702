"""Signed update with rollback (F15): a release is checked, tried beside the version that works, kept or taken back.

release    what a release is, and that it was signed: a folder of wheels with one list of hashes
slots      the versions on this box, and the two links that say which runs and which has proven itself
rollout    may this box take it, and has it proven itself: decided, with the reason
trial      the steps, each of which may be the last before the power goes
"""
