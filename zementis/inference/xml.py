"""Parse an untrusted XML file: no document type, bounded tags and depth."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree  # used only after defusedxml has read past the prolog  # nosec B405

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import XMLParser

from zementis.inference.errors import INVALID_XML, InvalidModel
from zementis.inference.limits import Limits

_PROLOG_STEP = 1024
_DOCTYPE = "The file declares a document type (DOCTYPE), which is not accepted."


class _RootSeen(Exception):  # noqa: N818  # a signal, not an error
    """The root element has begun: nothing after it can declare a document type or an entity."""


class _Prolog:
    """A parser target that stops at the first element."""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        raise _RootSeen

    def close(self) -> None:
        """Nothing was built."""


def parse(data: bytes, *, limits: Limits) -> ElementTree.Element:
    """Give the root element, with namespaces taken off the tags.

    defusedxml reads the prolog, the only place where entities can be declared, and refuses a DOCTYPE; the rest goes
    through the C parser, since defusedxml builds trees in Python at many times the memory.
    Raises InvalidModel.
    """
    if data.count(b"<") > limits.xml_tags:
        raise InvalidModel(INVALID_XML, f"The file has more than {limits.xml_tags} tags.")
    _check_prolog(data)
    depth = 0
    parser: ElementTree.XMLPullParser[Any] = ElementTree.XMLPullParser(events=("start", "end"))
    root: ElementTree.Element | None = None
    try:
        for start in range(0, len(data), 1 << 16):
            parser.feed(data[start : start + (1 << 16)])
            events: Any = parser.read_events()
            for event, element in events:
                if event == "end":
                    depth -= 1
                    continue
                depth += 1
                if depth > limits.xml_depth:
                    raise InvalidModel(INVALID_XML, f"Elements are nested deeper than {limits.xml_depth}.")
                if root is None:
                    root = element
                element.tag = element.tag.rpartition("}")[2]
        parser.close()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        if isinstance(error, InvalidModel):
            raise
        raise InvalidModel(INVALID_XML, f"The file is not well-formed: {error}.") from error
    if root is None:
        raise InvalidModel(INVALID_XML, "The file is empty.")
    return root


def serialise(root: ElementTree.Element, *, namespace: str) -> str:
    """Write the tree as one XML text with ``namespace`` as the default, without prolog and comments.

    What an engine loads is thus exactly what was checked, whatever its own parser makes of the original's oddities.
    """
    root.set("xmlns", namespace)
    return ElementTree.tostring(root, encoding="unicode")


def _check_prolog(data: bytes) -> None:
    parser = XMLParser(target=_Prolog(), forbid_dtd=True)
    try:
        for start in range(0, len(data), _PROLOG_STEP):
            parser.feed(data[start : start + _PROLOG_STEP])
        parser.close()
    except _RootSeen:
        return
    except DefusedXmlException as error:
        raise InvalidModel(INVALID_XML, _DOCTYPE) from error
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise InvalidModel(INVALID_XML, f"The file is not well-formed: {error}.") from error


def namespace_of(data: bytes) -> str | None:
    """Give the PMML namespace the file uses, None where it uses none."""
    found = re.search(rb"http://www\.dmg\.org/PMML-\d+_\d+", data.replace(b"\x00", b"")[:65536])
    return found.group().decode() if found else None
