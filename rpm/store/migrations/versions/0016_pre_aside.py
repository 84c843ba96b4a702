"""What may wait because a person said so."""

from rpm.store.migrate import run_file

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Execute `migrations/0016_pre_aside.sql`."""
    run_file(__file__)
