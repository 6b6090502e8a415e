"""A campaign's own pushes are found without reading every push; others have no part in the index."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

CAMPAIGNS = sa.text("substr(key, 1, 9) = 'campaign:'")


def upgrade() -> None:
    """Make it so."""
    op.create_index("push_campaign", "push", ["key"], sqlite_where=CAMPAIGNS, postgresql_where=CAMPAIGNS)


def downgrade() -> None:
    """Undo it."""
    op.drop_index("push_campaign", "push")
