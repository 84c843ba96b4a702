"""The pages' decisions, without a server."""
