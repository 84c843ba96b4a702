"""Who is called, as a practice itself keeps it."""

from rpm.store.migrate import run_file

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Execute `migrations/0006_pre_on_call.sql`."""
    run_file(__file__)
