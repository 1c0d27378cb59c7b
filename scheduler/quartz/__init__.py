"""Quartz cron expressions: parsing, validation and fire times, with Java Quartz's answers. Standard library only."""

from scheduler.quartz.errors import InvalidQuartzExpression
from scheduler.quartz.expression import MAX_LENGTH, QuartzExpression

__all__ = ["MAX_LENGTH", "InvalidQuartzExpression", "QuartzExpression"]
