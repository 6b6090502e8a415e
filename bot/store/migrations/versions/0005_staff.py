"""Staff who sign in to the web desk, their sessions, the audit log, canned answers; when a case was last touched."""

import sqlalchemy as sa
from alembic import op

from bot.store.tables import Instant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make it so."""
    op.create_table(
        "staff",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("password", sa.Text(), server_default="", nullable=False),
        sa.Column("invite", sa.String(), nullable=False),
        sa.Column("invite_until", sa.Double(), server_default="0", nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("seen_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_index("ix_staff_email", "staff", ["email"])
    op.create_index("ix_staff_invite", "staff", ["invite"])
    op.create_table(
        "staff_session",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("secret", sa.String(), nullable=False),
        sa.Column("valid_until", sa.Double(), server_default="0", nullable=False),
        sa.Column("most_until", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_staff_session_staff_id", "staff_session", ["staff_id"])
    op.create_table(
        "staff_flow",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("browser", sa.String(), nullable=False),
        sa.Column("nonce", sa.String(), nullable=False),
        sa.Column("verifier", sa.String(), nullable=False),
        sa.Column("valid_until", sa.Double(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "audit",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("staff", sa.String(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=True),
        sa.Column("order_id", sa.Integer(), nullable=True),
        sa.Column("detail", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("audit_case", "audit", ["case_id"])
    op.create_table(
        "canned",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )

    op.add_column("cases", sa.Column("touched", sa.Double(), server_default="0", nullable=False))
    op.create_index("case_touched", "cases", ["touched"])


def downgrade() -> None:
    """Undo it."""
    op.drop_index("case_touched", "cases")
    op.drop_column("cases", "touched")
    for table in ("canned", "audit", "staff_flow", "staff_session", "staff"):
        op.drop_table(table)
