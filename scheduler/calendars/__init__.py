"""Calendars: days on which jobs do not run, and what of a schedule falls on them.

``days`` says which days a calendar closes, ``dates``, ``countries`` and ``ical`` read the four sources of them;
``fires`` splits what is due into what is closed and what is open; ``store`` writes calendars and remembers them.
"""
