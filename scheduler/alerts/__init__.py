"""Alerts: what is found wrong (``evaluation``, ``overdue``), what lasts (``incidents``, ``review``), who is told
(``deliveries``, ``channels``, ``pings``). All of it runs in the beats, hence also when every worker is dead."""
