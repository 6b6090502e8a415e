"""Cases with a queue, clocks and a history; where desks show them."""

import sqlalchemy as sa
from alembic import op

from bot.store.tables import Instant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WORDS = {"shop": "", "locale": "", "queue": "default", "state": "open"}
NUMBERS = {"priority": "3", "version": "0"}
TIMES = (
    "changed_at",
    "answer_due",
    "next_due",
    "resolve_due",
    "answered_at",
    "acknowledged_at",
    "snoozed_until",
)


def upgrade() -> None:
    """Make it so."""
    for name, value in WORDS.items():
        op.add_column("cases", sa.Column(name, sa.String(), server_default=value, nullable=False))
    for name, value in NUMBERS.items():
        op.add_column("cases", sa.Column(name, sa.Integer(), server_default=value, nullable=False))
    for name in TIMES:
        op.add_column("cases", sa.Column(name, Instant(), nullable=True))
    op.add_column("cases", sa.Column("detail", sa.LargeBinary(), server_default=sa.text("''"), nullable=False))
    op.execute("UPDATE cases SET state = 'resolved' WHERE closed_at IS NOT NULL")
    op.create_index("ix_cases_order_id", "cases", ["order_id"])
    op.create_index("ix_cases_changed_at", "cases", ["changed_at"])
    op.create_index(
        "case_open",
        "cases",
        ["queue", "priority", "id"],
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "case_event",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("lane", sa.String(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column("key", sa.String(), nullable=True),
        sa.Column("data", sa.LargeBinary(), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("case_id", "key"),
    )
    op.create_index("ix_case_event_case_id", "case_event", ["case_id"])
    op.create_index("ix_case_event_lane", "case_event", ["lane"])
    op.create_table(
        "case_thread",
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("chat", sa.String(), nullable=False),
        sa.Column("thread", sa.String(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("lane", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "account", "chat", "thread"),
    )
    op.create_index("ix_case_thread_case_id", "case_thread", ["case_id"])
    op.create_index("ix_case_thread_lane", "case_thread", ["lane"])


def downgrade() -> None:
    """Undo it."""
    op.drop_table("case_thread")
    op.drop_table("case_event")
    for index in ("case_open", "ix_cases_changed_at", "ix_cases_order_id"):
        op.drop_index(index, "cases")
    for name in (*WORDS, *NUMBERS, *TIMES, "detail"):
        op.drop_column("cases", name)
