"""What a restored database asks for, nobody asked for."""

from rpm.store.migrate import run_file

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Execute `migrations/0008_pre_nobody_asked.sql`."""
    run_file(__file__)
