"""Read XML of strangers: no entity is expanded, nothing is fetched, depth and number of elements are bounded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from palio.core.errors import InputError


class BrokenXmlError(InputError):
    """A file that is no well-formed XML."""


_DEEPEST, _MOST = 100, 5_000_000


@dataclass(slots=True)
class Element:
    """A piece of XML."""

    tag: str
    attributes: dict[str, str]
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, tag: str) -> Iterator[Element]:
        """Yield the children of that name."""
        return (child for child in self.children if child.tag == tag)

    def first(self, *path: str) -> Element | None:
        """Return the first descendant on a path; None: there is none."""
        here: Element | None = self
        for tag in path:
            here = next(here.all(tag), None) if here is not None else None
        return here

    def said(self, *path: str) -> str:
        """Return the text of the first descendant on a path, without blanks around; empty: there is none."""
        found = self.first(*path)
        return found.text.strip() if found is not None else ""


def parsed(data: bytes, where: str) -> Element:
    """Parse XML.

    Raises:
        BrokenXmlError: it is not well-formed.
        InputError: it declares a document type or entities, or is too deep or long.
    """
    top = Element("", {})
    open_ones, n_seen = [top], 0

    def begin(tag: str, attributes: dict[str, str]) -> None:
        nonlocal n_seen
        n_seen += 1
        if len(open_ones) > _DEEPEST or n_seen > _MOST:
            raise InputError(f"{where}: XML with too many or too deep elements", hint="cut the file into smaller ones")
        found = Element(tag, attributes)
        open_ones[-1].children.append(found)
        open_ones.append(found)

    def end(_: str) -> None:
        open_ones.pop()

    def say(text: str) -> None:
        open_ones[-1].text += text

    def refuse(*_: object) -> NoReturn:
        raise InputError(
            f"{where}: XML that declares a document type or entities is not read", hint="remove the declaration"
        )

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = begin, end, say
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise BrokenXmlError(f"{where}: no well-formed XML: {error}", hint="export the annotation again") from None
    return top.children[0]
