"""What is kept: TimescaleDB through psycopg, one module per aggregate, SQL in its own files."""
