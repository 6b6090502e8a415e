"""Due parcels wait in a line for each shop and carrier, with all that a look needs of them beside it.

Rows are not leased one by one any more.
"""

import sqlalchemy as sa
from alembic import op

from bot.store.tables import Instant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

DUE = sa.text("due_at IS NOT NULL")
TOLD = ("order_id", "number", "status", "cause", "shipped_at", "changed_at")


def upgrade() -> None:
    """Make it so."""
    op.drop_index("look_due", "look")
    op.drop_column("look", "lease_until")
    op.add_column("look", sa.Column("shop", sa.String(), server_default="", nullable=False))
    op.add_column("look", sa.Column("order_id", sa.Integer(), server_default="0", nullable=False))
    op.add_column("look", sa.Column("number", sa.String(), server_default="", nullable=False))
    op.add_column("look", sa.Column("status", sa.String(), server_default="unknown", nullable=False))
    op.add_column("look", sa.Column("cause", sa.String(), server_default="", nullable=False))
    op.add_column("look", sa.Column("shipped_at", Instant(), nullable=True))
    op.add_column("look", sa.Column("changed_at", Instant(), nullable=True))
    for column in TOLD:
        op.execute(f"UPDATE look SET {column} = parcel.{column} FROM parcel WHERE parcel.id = look.parcel_id")  # noqa: S608
    op.execute("UPDATE look SET shop = orders.shop FROM orders WHERE orders.id = look.order_id")
    op.create_index("look_due", "look", ["shop", "carrier", "due_at"], sqlite_where=DUE, postgresql_where=DUE)


def downgrade() -> None:
    """Undo it."""
    op.drop_index("look_due", "look")
    for column in ("shop", *TOLD):
        op.drop_column("look", column)
    op.add_column("look", sa.Column("lease_until", sa.Double(), server_default="0", nullable=False))
    op.create_index("look_due", "look", ["due_at"], sqlite_where=DUE, postgresql_where=DUE)
