"""The one error this package raises for a text."""


class InvalidQuartzExpression(ValueError):  # noqa: N818 - the name is part of the public interface
    """The text is not a Quartz expression.

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
        return _rebuild, (self.field, self.text, self.allowed, self.problem)


def _rebuild(field: str, text: str, allowed: str, problem: str) -> InvalidQuartzExpression:
    return InvalidQuartzExpression(field=field, text=text, allowed=allowed, problem=problem)
