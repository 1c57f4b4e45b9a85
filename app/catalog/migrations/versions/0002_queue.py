"""A column for the queue; offsets of logs larger than 2 GB."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("jobs") as table:
        table.add_column(sa.Column("queue", sa.JSON(), nullable=False, server_default="{}"))
        table.alter_column(
            "offset", type_=sa.BigInteger(), existing_type=sa.Integer(), existing_nullable=False
        )
    with op.batch_alter_table("jobs") as table:
        table.alter_column(
            "queue", server_default=None, existing_type=sa.JSON(), existing_nullable=False
        )


def downgrade() -> None:
    with op.batch_alter_table("jobs") as table:
        table.alter_column(
            "offset", type_=sa.Integer(), existing_type=sa.BigInteger(), existing_nullable=False
        )
        table.drop_column("queue")
