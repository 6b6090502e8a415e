"""A push that did not leave in time, or did not arrive, is made again only while it is news."""

import sqlalchemy as sa
from alembic import op

from bot.store.tables import Instant

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make it so."""
    op.add_column("push", sa.Column("expires_at", Instant(), nullable=True))


def downgrade() -> None:
    """Undo it."""
    op.drop_column("push", "expires_at")
