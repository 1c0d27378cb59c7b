"""Fuzzing: requests that fit the described APIs and requests that fit nothing, sent to a running stack."""
