"""Which chats proved an order is found without reading every conversation."""

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make it so, for the conversations that are there as well."""
    proved = op.create_table(
        "proved",
        sa.Column(
            "order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("lane", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", "lane"),
    )
    op.create_index("ix_proved_lane", "proved", ["lane"], unique=False)
    known = sa.table("conversation", sa.column("lane", sa.String), sa.column("state", sa.LargeBinary))
    rows = {
        (proof["order"], row.lane)
        for row in op.get_bind().execute(sa.select(known.c.lane, known.c.state))
        for proof in (msgspec.json.decode(row.state).get("proofs", ()) if row.state else ())
        if proof.get("order") is not None
    }
    if rows:
        op.bulk_insert(proved, [{"order_id": order, "lane": lane} for order, lane in sorted(rows)])


def downgrade() -> None:
    """Undo it."""
    op.drop_table("proved")
