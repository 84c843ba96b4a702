"""What gateways sent, as it came, and what was known when it was settled."""

from rpm.store.migrate import run_file

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Execute `migrations/0007_pre_raw_archive.sql`."""
    run_file(__file__)
