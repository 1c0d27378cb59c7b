"""What is raised for a text that cannot be read.

InvalidExpression            a ValueError
├── InvalidQuartzExpression  six or seven fields
└── InvalidUnixExpression    five fields
"""


class InvalidExpression(ValueError):  # noqa: N818 - reads as what it says
    """The text is not an expression.

    `field` names the field at fault ("hour", "day of week", ... or "expression" for the text as a whole),
    `text` is the offending part as it was written (shortened when long), `allowed` says what may stand there.
    The message is one sentence made of the three.
    """

    def __init__(self, *, field: str, text: str, allowed: str, problem: str = "is not valid") -> None:
        self.field = field
        self.text = text if len(text) <= 60 else f"{text[:57]}..."
        self.allowed = allowed
        self.problem = problem
        super().__init__(f"{field}: {self.text!r} {problem}; allowed: {allowed}.")

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.field, self.text, self.allowed, self.problem)


class InvalidQuartzExpression(InvalidExpression):
    """The text is not a Quartz expression."""


class InvalidUnixExpression(InvalidExpression):
    """The text is not a five-field Unix expression."""


def _rebuild(error: type[InvalidExpression], field: str, text: str, allowed: str, problem: str) -> InvalidExpression:
    return error(field=field, text=text, allowed=allowed, problem=problem)
