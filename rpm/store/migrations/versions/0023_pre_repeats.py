"""A first reading out of range waits for a second one."""

from rpm.store.migrate import run_file

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Execute `migrations/0023_pre_repeats.sql`."""
    run_file(__file__)
