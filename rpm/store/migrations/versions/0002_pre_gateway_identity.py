"""Who gateways and services are: certificates, claims, revocation lists."""

from rpm.store.migrate import run_file

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Execute `migrations/0002_pre_gateway_identity.sql`."""
    run_file(__file__)
