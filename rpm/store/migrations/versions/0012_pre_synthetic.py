"""The synthetic patient is looked up often."""

from rpm.store.migrate import run_file

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Execute `migrations/0012_pre_synthetic.sql`."""
    run_file(__file__)
