"""The administrator that the stack makes, so that somebody can log in."""

import secrets
from pathlib import Path

from django.contrib.auth import get_user_model
from django.db import transaction

from jobsite.stack.login import Login, keep, recall


@transaction.atomic
def ensure(user: str, *, password: str, kept: Path) -> Login:
    """Make sure that the administrator `user` is there and may log in.

    With a `password` it is set to that. Without, a new user gets a random one, which is kept in the file `kept`; of a
    user that is there already nothing is changed: whoever has changed the password since must not find it put back.
    The login's password is the random one where it is still true, else None.
    """
    users = get_user_model()
    account, is_new = users.objects.get_or_create(username=user)
    known = None
    if password:
        if not account.check_password(password):
            account.set_password(password)
    elif is_new:
        known = secrets.token_urlsafe(15)
        account.set_password(known)
        keep(Login(user, known), kept)
    else:
        remembered = recall(kept)
        if remembered and remembered.user == user and account.check_password(remembered.password or ""):
            known = remembered.password
    account.is_staff = account.is_superuser = account.is_active = True
    account.save()
    if known is None:
        kept.unlink(missing_ok=True)
    return Login(user, known)
