"""Tables of the core. One module a noun; import them from here."""

from scheduler.models.alert import AlertRule, Channel, Condition, Delivery, Incident, Ping
from scheduler.models.calendar import Calendar
from scheduler.models.change import JobChange
from scheduler.models.execution import Attempt, Execution, Payload, Reason, Status, Trigger
from scheduler.models.figures import JobDay, Tally
from scheduler.models.job import Job, JobCounter, JobState
from scheduler.models.limit import Limit
from scheduler.models.metric import Metric
from scheduler.models.notice import Notice
from scheduler.models.pause import Pause
from scheduler.models.process import Leader, Process
from scheduler.models.receipt import Receipt
from scheduler.models.upkeep import Removal, RetentionChange

__all__ = [
    "AlertRule",
    "Attempt",
    "Calendar",
    "Channel",
    "Condition",
    "Delivery",
    "Execution",
    "Incident",
    "Job",
    "JobChange",
    "JobCounter",
    "JobDay",
    "JobState",
    "Leader",
    "Limit",
    "Notice",
    "Metric",
    "Pause",
    "Payload",
    "Ping",
    "Process",
    "Reason",
    "Receipt",
    "Removal",
    "RetentionChange",
    "Status",
    "Tally",
    "Trigger",
]
