"""Against a real PostgreSQL with TimescaleDB and a real Mosquitto."""
