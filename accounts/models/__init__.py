"""Tables of accounts. One module a noun; import them from here."""

from accounts.models.audit_entry import AuditEntry
from accounts.models.failed_logins import FailedLogins
from accounts.models.token import ApiToken, TokenUser

__all__ = ["ApiToken", "AuditEntry", "FailedLogins", "TokenUser"]
