"""Every way to reach a member of staff."""

from rpm.store.migrate import run_file

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Execute `migrations/0012_pre_contacts.sql`."""
    run_file(__file__)
