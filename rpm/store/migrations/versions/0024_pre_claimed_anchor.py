"""The periods of device supply that a closed month claimed stay where they are."""

from rpm.store.migrate import run_file

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Execute `migrations/0024_pre_claimed_anchor.sql`."""
    run_file(__file__)
