"""Make the roll-ups of what changed anew: new, late, void, corrected or moved readings, and a patient who moved house.

Whoever changes a value marks its day in the same transaction. A turn takes the marks away, sums the values as they stand, and
commits both: a mark that it cannot see yet is the next turn's, and so is one that a killed worker left.
"""

from typing import Final

from rpm.jobs.report import Done
from rpm.store import rollups
from rpm.store.database import Database

#: Marks taken in one transaction: about a tenth of a second.
CLAIM_LIMIT: Final = 500


def run_once(database: Database, *, limit: int = CLAIM_LIMIT) -> Done:
    """Roll up at most `limit` changes. What was measured adds up to the same at any time: it takes no `now`."""
    with database.transaction() as connection:
        done = rollups.roll_up(connection, limit=limit)
    return Done(done, done == limit)
