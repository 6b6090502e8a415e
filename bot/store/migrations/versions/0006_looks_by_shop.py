"""Due parcels wait in a line for each shop and carrier; rows are not leased one by one any more."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0003"
branch_labels = None
depends_on = None

DUE = sa.text("due_at IS NOT NULL")


def upgrade() -> None:
    """Make it so."""
    op.drop_index("look_due", "look")
    op.add_column("look", sa.Column("shop", sa.String(), server_default="", nullable=False))
    op.execute(
        "UPDATE look SET shop = COALESCE((SELECT orders.shop FROM parcel JOIN orders ON orders.id = parcel.order_id "
        "WHERE parcel.id = look.parcel_id), '')"
    )
    op.drop_column("look", "lease_until")
    op.create_index("look_due", "look", ["shop", "carrier", "due_at"], sqlite_where=DUE, postgresql_where=DUE)


def downgrade() -> None:
    """Undo it."""
    op.drop_index("look_due", "look")
    op.drop_column("look", "shop")
    op.add_column("look", sa.Column("lease_until", sa.Double(), server_default="0", nullable=False))
    op.create_index("look_due", "look", ["due_at"], sqlite_where=DUE, postgresql_where=DUE)
