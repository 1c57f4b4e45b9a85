"""Lists call a pasted network "prototxt". Deletes all rows: the logs restore them."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("DELETE FROM jobs")


def downgrade() -> None:
    """The table is the same."""
