"""The home as the clinic sees it: assignments that wait for a confirmed reading, proof of set-up, support staff."""

from rpm.store.migrate import run_file

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Execute `migrations/0003_pre_the_home.sql`."""
    run_file(__file__)
