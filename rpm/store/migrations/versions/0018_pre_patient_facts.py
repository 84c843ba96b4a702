"""What judging a patient takes besides readings: dry weight, pregnancy."""

from rpm.store.migrate import run_file

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Execute `migrations/0018_pre_patient_facts.sql`."""
    run_file(__file__)
