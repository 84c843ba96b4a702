"""The shared vocabulary: what the words mean, and how they look on the wire. Imports nothing of ours."""
