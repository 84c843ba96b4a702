"""A database made anew: for the demo and the benchmarks, never for anybody's data."""

import psycopg
from psycopg import sql


def recreate(server: str, name: str) -> str:
    """Drop the database `name` on `server` (a DSN without its last part), make it empty, and return its DSN."""
    with psycopg.connect(f"{server}/postgres", autocommit=True, connect_timeout=10) as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    return f"{server}/{name}"
