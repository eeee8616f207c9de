"""SVG figures made fit to stand in one page: ids of their own, nothing that acts or asks for anything."""

import re
from xml.etree import ElementTree

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_DROPPED = {"script", "foreignObject", "metadata", "style", "iframe", "animate", "set", "handler"}
_LINKS = {"href", f"{{{_XLINK}}}href"}
_NAMES = {"aria-labelledby", "aria-describedby"}

ElementTree.register_namespace("", _SVG)
ElementTree.register_namespace("xlink", _XLINK)


def safe_svg(text: str, *, prefix: str) -> str:
    """Return an SVG as it stands in a page: each id begins with `prefix`, so that no two figures share one.

    Its style sheet, which would reach the whole page, becomes a style of its root.
    Without a title it is decoration.
    """
    root = ElementTree.fromstring(re.sub(r"<!DOCTYPE[^>]*>", "", text, count=1))
    style = " ".join(re.findall(r"\*\s*\{([^}]*)\}", "".join(_sheets(root))))
    _drop(root)
    for element in root.iter():
        for key, value in list(element.attrib.items()):
            kept = _attribute(key, value, prefix=prefix)
            if kept is None:
                del element.attrib[key]
            else:
                element.set(key, kept)
    if style and "(" not in style:
        root.set("style", "; ".join(filter(None, [style.strip().rstrip(";"), root.get("style", "")])))
    if root.find(f"{{{_SVG}}}title") is None and not root.get("aria-label"):
        root.set("aria-hidden", "true")
    return ElementTree.tostring(root, encoding="unicode").strip()


def _sheets(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{{{_SVG}}}style")]


def _drop(element: ElementTree.Element) -> None:
    for child in list(element):
        if not isinstance(child.tag, str) or child.tag.rpartition("}")[2] in _DROPPED:
            element.remove(child)
        else:
            _drop(child)


def _attribute(key: str, value: str, *, prefix: str) -> str | None:
    """Return an attribute's value with its ids renamed; None if it would act or ask for something."""
    if key == "id":
        return prefix + value
    if key in _NAMES:
        return " ".join(prefix + name for name in value.split())
    if key in _LINKS:
        if value.startswith("#"):
            return f"#{prefix}{value[1:]}"
        return value if value.startswith("data:image/") else None
    if key.casefold().startswith("on"):
        return None
    if re.search(r"url\(\s*['\"]?(?!\s*['\"]?#)", value):
        return None
    return re.sub(r"url\(\s*['\"]?#([^)'\"]+)['\"]?\s*\)", rf"url(#{prefix}\1)", value)
