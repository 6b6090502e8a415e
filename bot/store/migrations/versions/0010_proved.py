"""Which chats proved an order is found without reading every conversation."""

from collections.abc import Iterator

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None
PAGE = 1000


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
    page = sa.select(known.c.lane, known.c.state).order_by(known.c.lane).limit(PAGE)
    last = ""
    while some := op.get_bind().execute(page.where(known.c.lane > last)).all():
        last = some[-1].lane
        if rows := {(order, row.lane) for row in some for order in _orders(row.state)}:
            op.bulk_insert(proved, [{"order_id": order, "lane": lane} for order, lane in sorted(rows)])


def _orders(state: bytes | None) -> Iterator[int]:
    """The orders that a conversation proved; none where its state is unreadable, which the engine survives as well."""
    try:
        proofs = msgspec.convert(msgspec.json.decode(state or b"{}"), dict[str, object]).get("proofs") or ()
        yield from (p.order for p in msgspec.convert(proofs, list[_Proof]) if p.order is not None)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return


class _Proof(msgspec.Struct):
    order: int | None = None


def downgrade() -> None:
    """Undo it."""
    op.drop_table("proved")
