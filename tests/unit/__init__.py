"""No servers: pure decisions, bytes, and files in temporary folders."""
