"""PostgreSQL and Redis from wheels, as children in the foreground of whoever starts them.

Used by the local stack and by the tests. Nothing here needs Django's settings: it is what makes their defaults true.
"""
