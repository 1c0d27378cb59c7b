"""The surface's addresses: accounts (login, refresh, logout) and jobs."""
