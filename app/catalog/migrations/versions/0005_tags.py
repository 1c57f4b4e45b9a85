"""Tags of jobs, in the index of the lists. Deletes all rows: the logs restore them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

FIRST = ("kind", "id", "state", "name", "group")
LAST = ("about", "number", "psnr", "gain", "seconds")


def upgrade() -> None:
    op.execute("DELETE FROM jobs")
    with op.batch_alter_table("jobs") as table:
        table.add_column(sa.Column("tags", sa.String(), nullable=False))
        table.drop_index("ix_jobs_lists")
        table.create_index("ix_jobs_lists", (*FIRST, "tags", *LAST))


def downgrade() -> None:
    with op.batch_alter_table("jobs") as table:
        table.drop_index("ix_jobs_lists")
        table.create_index("ix_jobs_lists", (*FIRST, *LAST))
        table.drop_column("tags")
