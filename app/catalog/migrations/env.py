"""Alembic's environment: runs migrations on the connection given by app/catalog/database.py."""

from alembic import context

from app.catalog.database import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
