"""The whole product on one machine: real broker, real database, real gateways, virtual people."""
