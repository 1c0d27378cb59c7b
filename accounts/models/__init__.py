"""Tables of accounts. One module a noun; import them from here."""

from accounts.models.audit_entry import AuditEntry
from accounts.models.enrolment import Enrolment
from accounts.models.failed_logins import FailedLogins
from accounts.models.identity import Identity
from accounts.models.second_factor import RecoveryCode, SecondFactor
from accounts.models.token import ApiToken, TokenUser

__all__ = [
    "ApiToken",
    "AuditEntry",
    "Enrolment",
    "FailedLogins",
    "Identity",
    "RecoveryCode",
    "SecondFactor",
    "TokenUser",
]
