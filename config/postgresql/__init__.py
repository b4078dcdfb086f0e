"""The database engine: Django's own for PostgreSQL, which asks less often whether the server still answers."""
