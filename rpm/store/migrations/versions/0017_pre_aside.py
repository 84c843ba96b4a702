"""What may wait because a person said so."""

from rpm.store.migrate import run_file

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Execute `migrations/0017_pre_aside.sql`."""
    run_file(__file__)
