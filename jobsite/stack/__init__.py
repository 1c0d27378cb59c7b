"""The whole system on one machine, under one process: `manage.py stack`."""
