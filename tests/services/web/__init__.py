"""The pages, served for real and asked without a browser."""
