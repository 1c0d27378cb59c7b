"""The web server: gunicorn with threads, which are given whole requests and keep none waiting for a client."""
