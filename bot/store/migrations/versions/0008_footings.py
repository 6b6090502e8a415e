"""Of an order that stands as it did, a look reads what tells whether that is news, and not the order."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make it so."""
    op.add_column("watch", sa.Column("footing", sa.LargeBinary(), server_default="", nullable=False))


def downgrade() -> None:
    """Undo it."""
    op.drop_column("watch", "footing")
