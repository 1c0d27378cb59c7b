"""Requests that hypothesis makes of good ones: bent bodies, odd headers, addresses, methods and credentials."""

from __future__ import annotations

import base64
import gzip
import random
import zlib
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.fuzz import hostile
from tests.fuzz.people import ROLES, ROOT, STRANGER, WEIGHTS, Known, Purse
from tests.fuzz.samples import QUERY, SAMPLES, Sample
from tests.fuzz.verdict import surface_of
from tests.fuzz.wire import Sent

_LATIN = "latin-1"
_HOW = ("set", "set", "set", "drop", "double", "rename", "add", "wrap")
_KINDS = (
    *("", "application/json", "application/json; charset=utf-16", "application/json; charset=nonsense", "text/plain"),
    *("application/vnd.com.nsn.cumulocity.measurement+json", "application/x-www-form-urlencoded", "text/csv", "x", "/"),
    *("multipart/form-data", "multipart/form-data; boundary=b", 'multipart/form-data; boundary="', "application/xml"),
    *("multipart/mixed; boundary=" + "b" * 300, "application/octet-stream", "application/json;" + "a=b;" * 200, "é"),
)
_ODD_HEADERS: tuple[tuple[str, str], ...] = (
    *(("Accept", kind) for kind in ("*/*", "text/html", "text/csv", "application/json;q=x", "a" * 2000, ",,,", "\xff")),
    *(("Accept-Encoding", "gzip;q=nonsense"), ("Accept-Language", "xx-" + "y" * 3000), ("Accept-Charset", "\xff")),
    *(("Content-Encoding", "gzip"), ("Content-Encoding", "deflate, br"), ("Content-Language", "\x80")),
    *(
        ("Cookie", "sessionid=\xff; csrftoken="),
        ("Cookie", "a" * 4000),
        ("Cookie", "sessionid=' OR 1=1"),
        ("Cookie", "=;=;"),
    ),
    *(("Host", host) for host in ("evil.example", "", "127.0.0.1:99999", "a" * 300, "127.0.0.1\\@x", "[::1")),
    *(("X-Forwarded-For", "' or 1=1"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil.example")),
    *(
        ("X-HTTP-Method-Override", "DELETE"),
        ("Range", "bytes=0-0,-1"),
        ("If-Modified-Since", "never"),
        ("If-Match", '"x'),
    ),
    *(
        ("X-Request-ID", "\xe9" * 300),
        ("X-Request-ID", "<script>"),
        ("Referer", "\xff\xfe"),
        ("User-Agent", "x" * 5000),
    ),
    *(
        ("Expect", "nothing"),
        ("Upgrade", "h2c"),
        ("TE", "trailers"),
        ("Via", "x"),
        ("X-CSRFToken", "\xff"),
        ("Date", "0"),
    ),
)
# What a server in front of an application may refuse by itself.
_ODD_FRAMES: tuple[tuple[str, str], ...] = (
    *(("Content-Length", length) for length in ("-1", "abc", "9" * 30, "1, 2", "+1", "0x1", "١")),
    *(("Transfer-Encoding", coding) for coding in ("gzip", "chunked, chunked", "identity", "xchunked", "\x0bchunked")),
    *(
        ("Bad Name", "x"),
        ("", "x"),
        ("X-Nul", "a\x00b"),
        ("X-Delete", "\x7f"),
        ("X-Line", "a\nb"),
        ("\xff", "x"),
        ("X" * 9000, "x"),
    ),
)
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "QUERY", "M-SEARCH")
_ODD_METHODS = ("get", "G@T", "P" * 300, "GE T", "", "\xff", "CONNECT", "G\x00T", "1", "POST\t")
_TAILS = (
    *("/", "//", "/.", "/..", "/../", "%2F", "%2f%2e%2e%2f", "%00", "%ff", "%C0%AF", "%25", "%", "%zz", ";a=b", "/%20"),
    *(
        "?",
        "??",
        "?&&&",
        "?=",
        "?%",
        "?%00",
        "?%ff=%ff",
        "#x",
        "?" + "a=b&" * 1500,
        "/" + "a" * 3000,
        "%0d%0aX:1",
        "1",
        "/x",
    ),
)
_CREDENTIALS: tuple[tuple[tuple[str, str], ...], ...] = tuple(
    (("Authorization", value),)
    for value in (
        *(
            "",
            " ",
            "Basic",
            "Basic ",
            "Basic !!!",
            "Basic =",
            "basic " + "A" * 9000,
            "Bearer",
            "Bearer ",
            "Bearer a b",
            "Digest x",
        ),
        *(
            "Basic " + base64.b64encode(text).decode()
            for text in (b"", b":", b"a", b"a:b:c", b"\xff:\x00", b"t/u:p", b"\x00:x")
        ),
        *(
            "Basic " + base64.b64encode(b"a" * 200 + b":" + b"b" * 2000).decode(),
            "Bearer jst_" + "x" * 43,
            "Bearer " + "x" * 3000,
        ),
        *(
            "Bearer \xff",
            "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
            "Negotiate x",
            "Basic \xe9",
            ":",
            "\xa0Basic eA==",
        ),
    )
) + tuple(
    (("X-VoltMX-Authorization", value),)
    for value in ("", "x", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", "a.b.c", "\xff", ".", "x" * 5000, "Bearer x")
)
_BOMB = gzip.compress(b"[" + b"0," * 2_000_000 + b"0]")
_NAMES = tuple(name for name, weight in WEIGHTS.items() for _ in range(weight))


class Maker:
    """Strategies of requests by surface."""

    def __init__(self, known: Known, purse: Purse) -> None:
        self._known, self._purse = known, purse

    def strategy(self, surface: str) -> st.SearchStrategy[Sent]:
        """Return what makes requests to a surface."""
        weighted = [sample for sample in SAMPLES if sample.surface == surface for _ in range(sample.weight)]
        return self._request(weighted)

    def _request(self, samples: list[Sample]) -> st.SearchStrategy[Sent]:
        @st.composite
        def request(draw: DrawFn) -> Sent:
            sample = draw(st.sampled_from(samples))
            chance = random.Random(draw(st.integers(0, 2**32 - 1)))
            body, kind = self._body(draw, sample, chance)
            sent = Sent(sample.method, self._path(draw, sample, chance), body=body, label=f"raw {sample.operation}")
            if kind and (body or sample.method != "GET"):
                sent = sent.with_headers(("Content-Type", kind))
            return self._framed(draw, self._asked(draw, sent, sample, chance), chance)

        return request()

    def _body(self, draw: DrawFn, sample: Sample, chance: random.Random) -> tuple[bytes, str]:
        value = sample.body(chance, self._known)
        if not isinstance(value, bytes):
            for _ in range(draw(st.sampled_from((0, 1, 1, 1, 2, 3)))):
                if isinstance(value, (dict, list)):
                    ways = hostile.places(value)
                    # The document itself is put to something else in one of so many cases only.
                    way = ways[draw(st.integers(0, 10**6)) % len(ways)]
                    value = hostile.changed(value, way, draw(st.sampled_from(_HOW)), draw(hostile.values))
            value = hostile.written(value).encode("utf-8", "surrogatepass")
        how = draw(st.integers(0, 15))
        if how < 5:
            value = _bent(draw, value, how)
        kind = draw(st.sampled_from(_KINDS)) if draw(st.integers(0, 9)) == 0 else sample.kind
        return value, kind.encode().decode(_LATIN)

    def _path(self, draw: DrawFn, sample: Sample, chance: random.Random) -> str:
        path = sample.path
        for name in [part.partition("}")[0] for part in path.split("{")[1:]]:
            value = self._known.parameter(sample.operation, name, chance)
            if value is None or draw(st.integers(0, 5)) == 0:
                value = str(draw(st.sampled_from((*hostile.TEXTS, *hostile.NUMBERS[:-1]))))[:3000]
            path = path.replace(f"{{{name}}}", quote(value, safe="", errors="replace") or "%20")
        if draw(st.integers(0, 9)) == 0:
            path += draw(st.sampled_from(_TAILS))
        if sample.method == "GET" or draw(st.integers(0, 9)) == 0:
            pairs = draw(st.lists(st.tuples(st.sampled_from(QUERY), st.one_of(_query, hostile.scalars)), max_size=4))
            told = "&".join(f"{name}={_quoted(value)}" for name, value in pairs)
            if told:
                path += ("&" if "?" in path else "?") + told
        return path[:7000]

    def _asked(self, draw: DrawFn, sent: Sent, sample: Sample, chance: random.Random) -> Sent:
        """Add who asks."""
        surface = surface_of(sample.path)
        if draw(st.integers(0, 24)) == 0:
            shown = draw(st.sampled_from(_CREDENTIALS))
            return replace(sent.with_headers(*shown), odd=len(shown[0][1]) > 8000)
        name = chance.choice(_NAMES)
        if sample.operation == "voltmx_claims":
            return sent.with_headers(("Authorization", self._purse.refresh_token(ROOT)))
        if sample.operation == "voltmx_login":
            return sent
        shown = self._purse.headers(surface, name, token=chance.random() < 0.3)
        if sample.operation == "voltmx_logout" or name == STRANGER:
            self._purse.drop(name)
        # Two sorts of credentials at once, of different people.
        if draw(st.integers(0, 99)) == 0:
            shown += self._purse.headers(surface, chance.choice(ROLES), token=True)
        return sent.with_headers(*shown)

    def _framed(self, draw: DrawFn, sent: Sent, chance: random.Random) -> Sent:
        """Make the envelope odd, now and then."""
        how = draw(st.integers(0, 39))
        if how == 0:
            return replace(sent, method=draw(st.sampled_from(_METHODS)))
        if how == 1:
            return replace(sent, method=draw(st.sampled_from(_ODD_METHODS)), odd=True)
        if how in (2, 3, 4):
            header = draw(st.sampled_from(_ODD_HEADERS))
            return replace(
                sent.with_headers(header), odd=sent.odd or header[0] in ("Host", "Expect") or len(header[1]) > 8000
            )
        if how == 5:
            return replace(sent.with_headers(draw(st.sampled_from(_ODD_FRAMES))), odd=True, cut=True)
        if how == 6 and sent.body:
            # Less comes than was announced.
            length = ("Content-Length", str(len(sent.body) + draw(st.integers(1, 10**6))))
            return replace(sent.with_headers(length), cut=True)
        if how == 7:
            return _in_chunks(draw, sent)
        if how == 8:
            target = draw(
                st.sampled_from((f"http://127.0.0.1{sent.target}", "*", f"/.{sent.target}", f"/{sent.target}", "x", ""))
            )
            return replace(sent, target=target, odd=True)
        if how == 9:
            return sent.with_headers(("Accept", draw(st.sampled_from(("application/json", "text/csv", "*/*")))))
        return sent


_query = st.sampled_from(
    (
        *("true", "false", "1", "5", "2000", "0", "-1", "10000000000000000000", "1e2", "2026-01-01T00:00:00Z", "1,2,3"),
        *(
            "name eq 'machine*'",
            "$filter=(type eq 'x' and has(c8y_Y)) $orderby=name desc",
            "bygroupid(1)",
            "((((((",
            "c8y_X.y",
        ),
        *(
            "MINUTELY",
            "DAILY",
            "HOURLY",
            "0 0/5 * * * ?",
            "Europe/Berlin",
            "json",
            "yaml",
            "de",
            "$filter=",
            "' or '1'='1",
        ),
        *(
            "(" * 300 + "a eq 1" + ")" * 300,
            "not " * 200 + "a eq 1",
            "*" * 200,
            "a eq " + "9" * 500,
            "id in (" + "1," * 500 + "1)",
        ),
    )
)


def _quoted(value: Any) -> str:
    text = str(value) if not isinstance(value, int) or abs(value) < 10**40 else "9" * 40
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def _bent(draw: DrawFn, body: bytes, how: int) -> bytes:
    """Return a body that is no longer what it was: cut, spoiled, in another coding, packed, or another."""
    place = draw(st.integers(0, 10**6)) % (len(body) + 1)
    if how == 0:
        return body[:place]
    if how == 1:
        piece = draw(
            st.sampled_from(
                (b"\x00", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xc0\xaf", b"\r\n", b"{", b'"', b" " * 2000)
            )
        )
        return body[:place] + piece + body[place:]
    if how == 2:
        text = body.decode("utf-8", "replace")
        return text.encode(draw(st.sampled_from(("utf-16", "utf-32", "utf-16-le", "utf-8-sig", "utf-7"))), "replace")
    if how == 3:
        packed = (gzip.compress(body), zlib.compress(body), _BOMB, body + b" " * (1 << 20), body * 3, b"[" * 300_000)
        return draw(st.sampled_from(packed))
    return draw(st.binary(max_size=200))


def _in_chunks(draw: DrawFn, sent: Sent) -> Sent:
    """Send the body in chunks, which may make no sense."""
    body = sent.body
    pieces: list[bytes] = []
    while body:
        size = draw(st.sampled_from((1, 7, 100, 100_000)))
        if len(pieces) > 20:
            size = len(body)
        pieces.append(f"{len(body[:size]):x}\r\n".encode() + body[:size] + b"\r\n")
        body = body[size:]
    whole = b"".join(pieces) + b"0\r\n\r\n"
    broken = draw(
        st.sampled_from(
            (None, None, None, b"zz\r\nx\r\n", b"5\r\nab", b"3\r\nabcdef\r\n0\r\n\r\n", b"-1\r\n", b"f" * 40)
        )
    )
    data = whole if broken is None else broken
    framed = sent.with_headers(("Transfer-Encoding", "chunked"))
    return replace(framed, body=data, cut=broken is not None, odd=sent.odd or broken is not None)
