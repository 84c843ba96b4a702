"""Load: as many simulated gateways as wanted, against a real broker, workers and database; what came of every reading."""
