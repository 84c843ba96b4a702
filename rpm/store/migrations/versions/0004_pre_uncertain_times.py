"""How far a reading's time may be off."""

from rpm.store.migrate import run_file

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Execute `migrations/0004_pre_uncertain_times.sql`."""
    run_file(__file__)
