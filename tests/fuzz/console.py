"""Requests to the console: every page with hostile queries, every form with hostile values, every action on rows."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl, quote, urlsplit

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.access.rows import Row, rows
from tests.fuzz import hostile
from tests.fuzz.people import CSRF, STRANGER, WEIGHTS, Known, Purse
from tests.fuzz.wire import Answer, Sent

# A form is read anew after it was used so many times.
_USES = 30
_MOST_FORMS = 200
_NAMES = tuple(name for name, weight in WEIGHTS.items() for _ in range(weight) if name != STRANGER)
# What lists take in their query beside the filters that are linked on them.
_LISTING = (
    *("o", "p", "q", "all", "e", "_popup", "_to_field", "_changelist_filters", "id__in", "id__exact", "pk", "id__gt"),
    *("name__icontains", "name__regex", "job__name", "job__id__exact", "status__exact", "at__gte", "created_at__year"),
    *("owner__password__startswith", "user__password", "is_active__exact", "kind", "state", "app_label", "model_name"),
    *("field_name", "term", "page", "next", "date", "from", "to", "expression", "zone", "count"),
)
_ORDERS = ("1", "-1", "1.2.3", "-9", "999999999999", "x", "1.-", ".", "0", "--1", "1..2", "²", "\x00", "1." * 200)
_NO_FORM = ("/admin/logout/",)


@dataclass
class Form:
    """A form as it stands on a page: where it goes, and its fields with their values and choices."""

    action: str = ""
    method: str = "get"
    fields: list[tuple[str, str]] = field(default_factory=list)
    choices: dict[str, list[str]] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)
    uses: int = 0


class _Page(HTMLParser):
    """Forms and links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.queries: set[str] = set()
        self._select: str | None = None
        self._area: str | None = None
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and given.get("href", "").startswith("?"):
            self.queries.add(given["href"])
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        if not self.forms:
            return
        form, name = self.forms[-1], given.get("name", "")
        if tag == "input" and name:
            kind = given.get("type", "text")
            if kind == "file":
                form.files.add(name)
            elif kind in ("checkbox", "radio") and "checked" not in given:
                form.choices.setdefault(name, []).append(given.get("value", "on"))
            else:
                form.fields.append((name, given.get("value", "")))
        elif tag == "button" and name:
            form.choices.setdefault(name, []).append(given.get("value", ""))
        elif tag == "select" and name:
            self._select = name
            form.choices.setdefault(name, [])
        elif tag == "option" and self._select:
            form.choices[self._select].append(given.get("value", ""))
            if "selected" in given:
                form.fields.append((self._select, given.get("value", "")))
        elif tag == "textarea" and name:
            self._area, self._text = name, ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = None
        elif tag == "textarea" and self._area:
            self.forms[-1].fields.append((self._area, self._text.removeprefix("\n")))
            self._area = None


class Console:
    """Strategies of requests to the console, which learn from the pages that they see."""

    def __init__(self, known: Known, purse: Purse, ask: Callable[[Sent], Answer | None]) -> None:
        self._known, self._purse, self._ask = known, purse, ask
        self._rows = [row for row in rows() if row.surface == "console" and f"/{row.path}" not in _NO_FORM]
        self._forms: dict[str, list[Form]] = {}
        self._queries: dict[str, list[str]] = {}

    def strategy(self) -> st.SearchStrategy[Sent]:
        """Return what makes requests."""
        read = [row for row in self._rows if row.method == "GET" and "absent" not in row.outcomes]
        write = [row for row in self._rows if row.method == "POST" and "absent" not in row.outcomes]

        @st.composite
        def request(draw: DrawFn) -> Sent:
            chance = random.Random(draw(st.integers(0, 2**32 - 1)))
            posts = draw(st.integers(0, 9)) < 6
            row = draw(st.sampled_from(write if posts else read))
            path = self._path(draw, row, chance)
            name = chance.choice(_NAMES)
            sent = self._post(draw, path, name, chance) if posts else self._get(draw, path, chance)
            label = f"console {row.method} {row.route}"
            return Sent(
                sent.method,
                sent.target[:7500],
                (*sent.headers, *self._purse.headers("admin", name, token=False)),
                sent.body,
                label=label,
            )

        return request()

    def learn(self, target: str, answer: Answer) -> None:
        """Remember a page's forms and links."""
        if answer.status != 200 or not answer.headers.get("content-type", "").startswith("text/html"):
            return
        path = urlsplit(target).path
        page = _Page()
        page.feed(answer.body.decode("utf-8", "replace"))
        if len(self._forms) > _MOST_FORMS:
            self._forms.clear()
        self._forms[path] = [form for form in page.forms if form.method == "post" and form.action not in _NO_FORM]
        self._queries[path] = sorted(page.queries)

    def _path(self, draw: DrawFn, row: Row, chance: random.Random) -> str:
        path = "/" + row.path
        while "{" in path:
            label = path.split("{", 1)[1].split("}", 1)[0]
            keys = self._known.rows(label) if "." in label else []
            if keys and draw(st.integers(0, 7)) > 0:
                value = str(chance.choice(keys))
            else:
                value = str(draw(st.sampled_from((*hostile.TEXTS, *hostile.NUMBERS[:-1], "_5F", "1_2F", "_ZZ"))))[:2000]
            path = path.replace(f"{{{label}}}", quote(value, safe="", errors="replace") or "_")
        return path

    def _get(self, draw: DrawFn, path: str, chance: random.Random) -> Sent:
        pairs: list[tuple[str, object]] = []
        linked = self._queries.get(path) or []
        if linked and draw(st.booleans()) is True:
            pairs += parse_qsl(chance.choice(linked).removeprefix("?"), keep_blank_values=True)
            if pairs and draw(st.booleans()) is True:
                place = chance.randrange(len(pairs))
                pairs[place] = (pairs[place][0], draw(hostile.scalars))
        for _ in range(draw(st.sampled_from((0, 1, 1, 2)))):
            name = draw(st.sampled_from(_LISTING))
            pairs.append((name, draw(st.sampled_from(_ORDERS) if name == "o" else hostile.scalars)))
        query = "&".join(f"{_coded(name)}={_coded(value)}" for name, value in pairs)
        joint = "&" if "?" in path else "?"
        return Sent("GET", f"{path}{joint}{query}" if query else path)

    def _post(self, draw: DrawFn, path: str, name: str, chance: random.Random) -> Sent:
        form = self._form(path, name, chance)
        values = list(form.fields)
        for choice, offered in form.choices.items():
            # Of a list's rows, of its actions, of a page's buttons.
            if offered and chance.random() < 0.4:
                values.append((choice, chance.choice(offered)))
        names = sorted({key for key, _ in values} | set(form.choices)) or ["name", "action", "_save", "post"]
        for _ in range(draw(st.sampled_from((0, 1, 1, 2, 3)))):
            key = draw(st.sampled_from(names))
            if key == "csrfmiddlewaretoken" and draw(st.integers(0, 9)):
                continue
            values = [pair for pair in values if pair[0] != key]
            if draw(st.integers(0, 5)):
                values += [(key, _plain(draw(hostile.scalars)))] * draw(st.sampled_from((1, 1, 1, 2)))
        if draw(st.integers(0, 7)) == 0:
            values += [("action", "delete_selected"), ("post", "yes"), ("select_across", draw(st.sampled_from("01x")))]
        values = [(key, CSRF if key == "csrfmiddlewaretoken" and len(value) == 64 else value) for key, value in values]
        if not any(key == "csrfmiddlewaretoken" for key, _ in values):
            values.append(("csrfmiddlewaretoken", CSRF))
        target = form.action if form.action.startswith("/admin") else path
        if form.files or draw(st.integers(0, 9)) == 0:
            return _multipart(draw, target, values, form.files)
        body = "&".join(f"{_coded(key)}={_coded(value)}" for key, value in values).encode()
        return Sent("POST", target, (("Content-Type", "application/x-www-form-urlencoded"),), body)

    def _form(self, path: str, name: str, chance: random.Random) -> Form:
        known = self._forms.get(path)
        if known is None or any(form.uses > _USES for form in known):
            shown = Sent("GET", path, self._purse.headers("admin", name, token=False), label="console form")
            answer = self._ask(shown)
            if answer is not None:
                self.learn(path, answer)
            known = self._forms.setdefault(path, [])
        if not known:
            return Form(path)
        form = chance.choice(known)
        form.uses += 1
        return form


def _plain(value: object) -> str:
    if isinstance(value, str):
        return value
    return "9" * 400 if isinstance(value, int) and abs(value) > 10**300 else str(value)


def _coded(value: object) -> str:
    return quote(_plain(value).encode("utf-8", "surrogatepass"), safe="")


def _multipart(draw: DrawFn, target: str, values: list[tuple[str, str]], files: set[str]) -> Sent:
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{_coded(key)}"\r\n\r\n'.encode()
        + value.encode("utf-8", "replace")
        for key, value in values
    ]
    for name in sorted(files):
        sent_as = draw(st.sampled_from(("a.pmml", "a.onnx", "a.ics", "../../x", "a\x00b.pmml", "", "x" * 400, "é.zip")))
        content = draw(
            st.one_of(st.binary(max_size=200), st.sampled_from((b"<PMML/>", b"<a>" * 1000, b"PK\x03\x04", b"")))
        )
        head = f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="{sent_as}"\r\n'
        parts.append(head.encode() + b"Content-Type: application/octet-stream\r\n\r\n" + content)
    end = draw(
        st.sampled_from((b"\r\n--b--\r\n", b"\r\n--b--\r\n", b"\r\n--b--\r\n", b"", b"\r\n--b", b"\r\n--c--\r\n"))
    )
    return Sent("POST", target, (("Content-Type", "multipart/form-data; boundary=b"),), b"\r\n".join(parts) + end)
