"""Readings that were stored and had to be corrected."""

from rpm.store.migrate import run_file

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Execute `migrations/0005_pre_corrections.sql`."""
    run_file(__file__)
