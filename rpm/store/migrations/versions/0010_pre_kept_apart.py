"""Practices are kept apart by the database: row-level security, and views before hypertables."""

from rpm.store.migrate import run_file

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Execute `migrations/0010_pre_kept_apart.sql`."""
    run_file(__file__)
