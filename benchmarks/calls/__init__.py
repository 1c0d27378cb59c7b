"""A kind of job that makes one HTTP call, and the endpoint it calls."""
