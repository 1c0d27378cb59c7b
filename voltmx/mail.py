"""E-mail to those whom a job names, when a run of it failed."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.core.mail import EmailMessage

from scheduler.job_types import NotTold

logger = logging.getLogger(__name__)

_LONGEST_SUBJECT = 150


def tell_of_failure(
    recipients: Sequence[str], *, job_name: str, job_number: int, run_number: int, service: str, why: str
) -> None:
    """Send the mail. Raises ``NotTold``: a mail server's trouble is not the run's."""
    subject = " ".join(f"Job {job_name} failed".split())[:_LONGEST_SUBJECT]
    body = f"Run {run_number} of the job {job_name} (id {job_number}) failed.\n\nService: {service}\nReason: {why}\n"
    try:
        EmailMessage(subject, body, to=list(recipients)).send()
    except Exception as error:  # smtplib, ssl and socket each have their own
        logger.warning("mail.failed job=%s run=%s error=%s", job_number, run_number, type(error).__name__)
        raise NotTold(f"the e-mail about this failure could not be sent: {type(error).__name__}") from error
    logger.info("mail.sent job=%s run=%s recipients=%d", job_number, run_number, len(recipients))
