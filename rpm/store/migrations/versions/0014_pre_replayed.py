"""What is held may be worked through again."""

from rpm.store.migrate import run_file

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Execute `migrations/0014_pre_replayed.sql`."""
    run_file(__file__)
