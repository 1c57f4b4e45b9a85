"""Who made a job, in the index of the lists. Deletes all rows: the folders restore them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

FIRST = ("kind", "id", "state", "name", "group", "tags")
LAST = ("about", "number", "psnr", "gain", "seconds")


def upgrade() -> None:
    op.execute("DELETE FROM jobs")
    with op.batch_alter_table("jobs") as table:
        table.add_column(sa.Column("owner", sa.String(), nullable=False))
        table.drop_index("ix_jobs_lists")
        table.create_index("ix_jobs_lists", (*FIRST, "owner", *LAST))


def downgrade() -> None:
    with op.batch_alter_table("jobs") as table:
        table.drop_index("ix_jobs_lists")
        table.create_index("ix_jobs_lists", (*FIRST, *LAST))
        table.drop_column("owner")
