"""The arithmetic of the checks: columns in, columns out. Each module answers one sort of question for every patient at once.

Rows are sorted by (patient, time). `position` is a row's place within its patient (0 first); it is what keeps a look back from
reaching a neighbour. Large columns are worked through in blocks that fit a processor's cache; no loop is over patients or
readings.
"""
