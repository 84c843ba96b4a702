"""One patient's record may be let go of."""

from rpm.store.migrate import run_file

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Execute `migrations/0016_pre_purge.sql`."""
    run_file(__file__)
