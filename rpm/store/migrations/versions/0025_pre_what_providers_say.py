"""Reports that outrun our own commit are kept; a report names its message; a number that wrote STOP is not written to."""

from rpm.store.migrate import run_file

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Execute `migrations/0025_pre_what_providers_say.sql`."""
    run_file(__file__)
