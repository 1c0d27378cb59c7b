"""Hashing of passwords that takes no time."""

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class QuickHasher(PBKDF2PasswordHasher):
    """One round, where real life takes a tenth of a second and more by design.

    Other processes, which know nothing of this one, can check what it wrote.
    """

    iterations = 1
