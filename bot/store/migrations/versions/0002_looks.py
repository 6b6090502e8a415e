"""When a parcel is looked at moves from the parcel's wide row to a narrow one of its own."""

import sqlalchemy as sa
from alembic import op

from bot.store.tables import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOVED = ("due_at", "asked_at", "checked_at", "lease_until")


def upgrade() -> None:
    """Make it so."""
    op.create_table(
        "look",
        sa.Column(
            "parcel_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("carrier", sa.String(), nullable=False),
        sa.Column("due_at", Instant(), nullable=True),
        sa.Column("asked_at", Instant(), nullable=True),
        sa.Column("checked_at", Instant(), nullable=True),
        sa.Column("lease_until", sa.Double(), server_default="0", nullable=False),
        sa.Column("heard", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("parcel_id"),
    )
    op.execute(
        "INSERT INTO look (parcel_id, carrier, due_at, asked_at, checked_at, lease_until, heard) "
        "SELECT id, carrier, due_at, asked_at, checked_at, 0, '' FROM parcel"
    )
    op.create_index(
        "look_due",
        "look",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.drop_index("parcel_due", "parcel")
    for column in MOVED:
        op.drop_column("parcel", column)


def downgrade() -> None:
    """Undo it."""
    op.add_column("parcel", sa.Column("due_at", Instant(), nullable=True))
    op.add_column("parcel", sa.Column("asked_at", Instant(), nullable=True))
    op.add_column("parcel", sa.Column("checked_at", Instant(), nullable=True))
    op.add_column("parcel", sa.Column("lease_until", sa.Double(), server_default="0", nullable=False))
    for column in MOVED[:3]:
        op.execute(f"UPDATE parcel SET {column} = (SELECT {column} FROM look WHERE parcel_id = parcel.id)")  # noqa: S608
    op.create_index(
        "parcel_due",
        "parcel",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.drop_table("look")
