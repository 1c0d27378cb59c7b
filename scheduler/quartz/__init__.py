"""Quartz cron expressions: parsing, validation and fire times, with Java Quartz's answers. Standard library only."""

from scheduler.quartz.description import describe
from scheduler.quartz.errors import InvalidExpression, InvalidQuartzExpression, InvalidUnixExpression
from scheduler.quartz.expression import MAX_LENGTH, QuartzExpression
from scheduler.quartz.fires import FireTimes

__all__ = [
    "MAX_LENGTH",
    "FireTimes",
    "InvalidExpression",
    "InvalidQuartzExpression",
    "InvalidUnixExpression",
    "QuartzExpression",
    "describe",
]
