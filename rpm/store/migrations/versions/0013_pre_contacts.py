"""Every way to reach a member of staff."""

from rpm.store.migrate import run_file

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Execute `migrations/0013_pre_contacts.sql`."""
    run_file(__file__)
