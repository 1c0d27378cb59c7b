"""The page of settings, written from what the settings declare."""

from jobsite.declared import Setting
from jobsite.environment import Environment

BEGIN, END = "<!-- settings -->", "<!-- /settings -->"


def tables(env: Environment) -> str:
    """One table in Markdown for each section that has settings, in the order in which the code reads them."""
    sections = {title: [one for one in env.declared.values() if one.section == title] for title in env.sections}
    return "\n".join(_table(title, env.sections[title], rows) for title, rows in sections.items() if rows)


def _table(title: str, intro: str, rows: list[Setting]) -> str:
    lines = [f"| `{row.name}` | {row.takes} | {row.default} | {row.meaning} |" for row in rows]
    head = [
        f"## {title}",
        "",
        *([intro, ""] if intro else []),
        "| Variable | Takes | Default | Meaning |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *lines, ""])


def page(text: str, env: Environment) -> str:
    """The page `text` with new tables between its two marks; raises `ValueError` where it has not both."""
    before, begin, rest = text.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no {BEGIN} followed by {END}")
    return f"{before}{BEGIN}\n\n{tables(env)}\n{END}{after}"
