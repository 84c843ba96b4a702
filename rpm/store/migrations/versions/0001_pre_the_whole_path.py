"""The whole path: people, devices, readings, alerts, notifications, minutes, audit."""

from rpm.store.migrate import run_file

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Execute `migrations/0001_pre_the_whole_path.sql`."""
    run_file(__file__)
