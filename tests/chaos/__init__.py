"""Chaos: a running fleet, a seeded schedule of faults, and a checker of what the database says afterwards."""
