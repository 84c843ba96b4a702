"""A call hears few keys, and acknowledges once."""

from rpm.store.migrate import run_file

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Execute `migrations/0020_pre_call_keys.sql`."""
    run_file(__file__)
