"""Calling services of a Foundry runtime: requests (``calls``), identities, the wire (``client``), answers."""
