"""Which signed messages workers have taken. Only ``scheduler.receipts`` writes this table."""

from __future__ import annotations

from django.db import models


class Receipt(models.Model):
    """One message: the number in its signature, and whether it was dealt with."""

    nonce = models.CharField(max_length=32, primary_key=True)
    until = models.DateTimeField(db_index=True, help_text="When the message would be too old, and this is forgotten.")
    closed = models.BooleanField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.nonce
