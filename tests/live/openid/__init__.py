"""A real OpenID provider as a process of its own: django-allauth's, with a SQLite file."""
