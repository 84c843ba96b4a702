"""Running quantities that depend on the one before, for all patients at once: by doubling, in log2(longest) passes.

A recurrence y = a y₋₁ + b is a composition of such maps, and compositions may be bracketed as one likes: each pass doubles how
many of its predecessors a row has taken in (Hillis and Steele 1986).
"""

import numpy as np

from alerts.kernels.windows import Counts
from alerts.series import Floats


def recurrence(factor: float, added: Floats, position: Counts) -> Floats:
    """Per row, y = factor · y₋₁ + added within its patient; the first row of each is `added` itself."""
    result, reach, power = added.copy(), 1, factor
    longest = int(position.max()) if len(position) else 0
    while reach <= longest:
        earlier = np.where(position[reach:] >= reach, result[:-reach], 0.0)
        result[reach:] = result[reach:] + power * earlier
        reach, power = reach * 2, power * power
    return result


def excess(added: Floats, position: Counts) -> Floats:
    """Per row, s = max(0, s₋₁ + added) within its patient: what a one-sided CUSUM has summed up.

    Equal to the largest sum of rows that ends here: (sum so far) - (least sum so far, or 0).
    """
    total = np.concatenate(([0.0], np.cumsum(added)))
    begins = np.arange(len(added)) - position
    mine = total[1:] - total[begins]
    least, reach = np.minimum(mine - added, mine), 1
    longest = int(position.max()) if len(position) else 0
    while reach <= longest:
        earlier = np.where(position[reach:] >= reach, least[:-reach], np.inf)
        least[reach:] = np.minimum(least[reach:], earlier)
        reach *= 2
    return np.maximum(mine - np.minimum(least, 0.0), 0.0)
