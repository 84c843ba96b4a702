"""A device that came back may be wiped."""

from rpm.store.migrate import run_file

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Execute `migrations/0019_pre_wiped.sql`."""
    run_file(__file__)
