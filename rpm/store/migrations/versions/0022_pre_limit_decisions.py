"""Decisions on limits made of what is usual of a patient."""

from rpm.store.migrate import run_file

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Execute `migrations/0022_pre_limit_decisions.sql`."""
    run_file(__file__)
