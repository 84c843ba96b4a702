"""What a patient's days and weeks came to."""

from rpm.store.migrate import run_file

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Execute `migrations/0009_pre_rollups.sql`."""
    run_file(__file__)
