"""Columns that lists sort and search by, in one index. Deletes all rows: the logs restore them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

LISTS = ("kind", "id", "state", "name", "group", "about", "number", "psnr", "gain", "seconds")


def upgrade() -> None:
    op.execute("DELETE FROM jobs")
    with op.batch_alter_table("jobs") as table:
        for name in ("group", "about"):
            table.add_column(sa.Column(name, sa.String(), nullable=False))
        for name in ("number", "psnr", "gain", "seconds"):
            table.add_column(sa.Column(name, sa.Double(), nullable=True))
        table.add_column(sa.Column("shown", sa.JSON(), nullable=False))
        table.drop_index("ix_jobs_kind")
        table.create_index("ix_jobs_lists", LISTS)


def downgrade() -> None:
    with op.batch_alter_table("jobs") as table:
        table.drop_index("ix_jobs_lists")
        table.create_index("ix_jobs_kind", ["kind"])
        for name in ("shown", "seconds", "gain", "psnr", "number", "about", "group"):
            table.drop_column(name)
