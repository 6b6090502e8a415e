"""What the announcer keeps: watched orders, parcels at a glance, who follows, what left unasked, campaigns."""

import sqlalchemy as sa
from alembic import op

from bot.store.tables import Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _json(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), server_default=sa.text("''"), nullable=False)


def upgrade() -> None:
    """Make it so."""
    op.add_column("buyer", sa.Column("pushes", sa.Integer(), server_default="0", nullable=False))
    op.add_column("decision", sa.Column("about", sa.String(), server_default="", nullable=False))
    op.create_index("ix_decision_about", "decision", ["about"], unique=False)
    op.create_table(
        "watch",
        sa.Column("order_id", ID, autoincrement=False, nullable=False),
        sa.Column("due_at", Instant(), nullable=True),
        sa.Column("lease_until", sa.Double(), server_default="0", nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        _json("glance"),
        _json("told"),
        sa.PrimaryKeyConstraint("order_id"),
    )
    op.create_index(
        "watch_due",
        "watch",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_table(
        "sight",
        sa.Column("parcel_id", ID, autoincrement=False, nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        _json("glance"),
        sa.PrimaryKeyConstraint("parcel_id"),
    )
    op.create_index("ix_sight_order_id", "sight", ["order_id"], unique=False)
    op.create_table(
        "follow",
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("lane", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", "lane"),
    )
    op.create_index("ix_follow_lane", "follow", ["lane"], unique=False)
    op.create_table(
        "push",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("buyer_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("template", sa.String(), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("parcel_id", sa.Integer(), nullable=True),
        sa.Column("lane", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("buyer_id", "key"),
    )
    op.create_index("ix_push_order_id", "push", ["order_id"], unique=False)
    op.create_index("ix_push_lane", "push", ["lane"], unique=False)
    op.create_table(
        "campaign",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        _json("plan"),
        sa.Column("cursor", sa.Integer(), nullable=False),
        sa.Column("reached", sa.Integer(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("due_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )


def downgrade() -> None:
    """Undo it."""
    for table in ("campaign", "push", "follow", "sight", "watch"):
        op.drop_table(table)
    op.drop_index("ix_decision_about", "decision")
    op.drop_column("decision", "about")
    op.drop_column("buyer", "pushes")
