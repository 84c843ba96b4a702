"""A month of billing that is closed, and its adjustments."""

from rpm.store.migrate import run_file

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Execute `migrations/0015_pre_closed_months.sql`."""
    run_file(__file__)
