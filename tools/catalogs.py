"""The catalogs of messages: found in package and notebooks, merged into each language's, checked, and filled.

    python tools/catalogs.py                     update all, and check what is translated
    python tools/catalogs.py check               whether the complete languages lack nothing
    python tools/catalogs.py missing nl          what Dutch lacks, as JSON to be filled
    python tools/catalogs.py fill nl FILE        put translations into the Dutch catalog

`present/locale/terms.toml` says how each country calls the terms of the trade; a translation that calls them otherwise
is refused.
"""

import ast
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import nbformat
from babel.messages.catalog import Catalog
from babel.messages.catalog import Message as Entry
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

import retention_kit
from retention_kit.config import project_root, read_toml
from retention_kit.errors import KitError, UsageError, listed, unknown_name
from retention_kit.messages import places
from retention_kit.metrics import METRICS
from retention_kit.present.languages import CATALOGS, DOMAIN
from retention_kit.present.prose import pieces
from retention_kit.writing import write_whole

COMPLETE: tuple[str, ...] = ("ar", "da", "de", "ja", "nl", "pt_BR", "ro", "zh_Hans")
"""The languages that a release has every message in; between releases English stands in for what is new."""

_PACKAGE = Path(retention_kit.__file__).parent
_CALLS = {"_": 1, "N_": 1, "ngettext": 2, "pgettext": 2, "Message": 2}
"""What takes messages, and how many of its first arguments may be one."""

_SHOWN_BY_NOTEBOOKS = {"caption", "summary", "title"}
"""Arguments of a notebook's calls whose text is shown."""

_NEVER = datetime(2026, 1, 1, tzinfo=UTC)
"""The date in every catalog: a catalog changes where a message does, and only there."""


@dataclass(frozen=True)
class Found:
    """A message in the sources: its text or both its forms, where it stands, and what a translator is told of it."""

    text: str | tuple[str, str]
    where: str
    comments: tuple[str, ...] = ()
    context: str | None = None


class CatalogError(KitError):
    """Catalogs whose translations cannot be shown as they are."""


def languages() -> list[str]:
    """Return the names of the languages that have a catalog."""
    return sorted(path.parent.parent.name for path in CATALOGS.glob(f"*/LC_MESSAGES/{DOMAIN}.po"))


def template() -> Catalog:
    """Return the catalog of all messages of the package and the notebooks, in English."""
    catalog = Catalog(project="retention-kit", version=retention_kit.__version__, creation_date=_NEVER, fuzzy=False)
    for found in _messages():
        entry = catalog.add(
            found.text, locations=[(found.where, 0)], auto_comments=found.comments, context=found.context
        )
        entry.flags |= {"python-brace-format"} if any(places(text) for text in _forms(found.text)) else set()
    return catalog


def catalog_of(language: str) -> Catalog:
    """Return the catalog of a language as it lies in `locale/`.

    Raises
    ------
    UsageError : there is no catalog of that name.
    """
    if language not in languages():
        raise unknown_name("catalog", language, languages())
    with _place(language).open("rb") as file:
        return read_po(file, locale=language)


def update(language: str, *, found: Catalog | None = None) -> Catalog:
    """Merge the messages of the sources into a language's catalog, write and compile it; a new one is begun.

    What is translated stays; a message that is gone goes.
    """
    found = found or template()
    known = catalog_of(language) if language in languages() else Catalog(locale=language)
    catalog = Catalog(
        locale=language, project="retention-kit", version=retention_kit.__version__,
        creation_date=_NEVER, revision_date=_NEVER,
        header_comment=f"# {language}: how retention-kit says it. `make i18n` merges what is new; see tools/.",
        msgid_bugs_address="none", last_translator="none", language_team="none", fuzzy=False,
    )  # fmt: skip
    for entry in found:
        if entry.id:
            before = known.get(_key(entry), context=entry.context)
            string = before.string if before is not None and "fuzzy" not in before.flags else ""
            fits = isinstance(string, tuple | list) == entry.pluralizable and bool(string)
            if fits and entry.pluralizable:  # a Babel that knows one form more says it like the last one
                string = (*string, *string[-1:] * catalog.num_plurals)[: catalog.num_plurals]
            empty: Any = ("",) * catalog.num_plurals if entry.pluralizable else ""
            catalog.add(
                entry.id,
                string if fits else empty,
                locations=entry.locations,
                auto_comments=entry.auto_comments,
                flags=entry.flags,
                context=entry.context,
            )
    _write(language, catalog)
    return catalog


def missing(language: str) -> list[dict[str, Any]]:
    """Return what a catalog lacks, to be translated: `id`, `plural` and `forms` where it has them, `about`."""
    catalog = catalog_of(language)
    lacking = [entry for entry in catalog if entry.id and not _is_translated(entry)]
    return [
        {"id": _key(entry)}
        | ({"plural": entry.id[1], "forms": catalog.num_plurals} if entry.pluralizable else {})
        | {"about": [*entry.auto_comments, *(path for path, _line in entry.locations)]}
        for entry in lacking
    ]


def fill(language: str, translations: Mapping[str, str | list[str]]) -> int:
    """Put translations by message into a language's catalog; return how many it still lacks.

    Raises
    ------
    UsageError : a message that is not in the catalog.
    CatalogError : translations that cannot be shown as they are; nothing is written.
    """
    catalog = catalog_of(language)
    unknown = [text for text in translations if catalog.get(text) is None]
    if unknown:
        raise UsageError(
            f"The catalog of '{language}' has no such message.", found=listed(unknown), to_try="the text of `missing`"
        )
    for text, told in translations.items():
        catalog.get(text).string = tuple(told) if isinstance(told, list) else told
    _refuse(problems(language, catalog, [catalog.get(text) for text in translations]))
    _write(language, catalog)
    return len(missing(language))


def problems(language: str, catalog: Catalog, entries: Iterable[Entry] | None = None) -> list[str]:
    """Return what is wrong with the translations of a catalog, or some of them: places, marks, terms, forms."""
    terms = terms_of(language)
    told = []
    for entry in catalog if entries is None else entries:
        if entry.id and _is_translated(entry):
            told += [f"{language}: {_key(entry)!r}: {what}" for what in _faults(entry, catalog, terms)]
    return told


def lacking(language: str, catalog: Catalog) -> list[str]:
    """Return what a complete language lacks: messages without a translation, or with a doubtful one."""
    if language not in COMPLETE:
        return []
    entries = [entry for entry in catalog if entry.id and (not _is_translated(entry) or entry.fuzzy)]
    return [f"{language}: {_key(entry)!r}: no translation" for entry in entries]


def stale(language: str, found: Catalog) -> list[str]:
    """Return the messages by which a catalog and the sources differ."""
    known, now = ({(entry.id, entry.context) for entry in catalog} for catalog in (catalog_of(language), found))
    return sorted(f"{language}: {text!r}: run `make i18n`" for text, _context in known ^ now)


def terms_of(language: str) -> dict[str, list[str]]:
    """Return how a language calls the terms of the trade: stems, of which one must be there, by English term."""
    tables = read_toml(CATALOGS / "terms.toml")
    return {term: told[language] for term, told in tables.items() if language in told}


def main(arguments: list[str]) -> None:
    """Update and check all catalogs; or show what one lacks; or fill it."""
    match arguments:
        case ["missing", language]:
            print(json.dumps(missing(language), ensure_ascii=False, indent=1))
        case ["fill", language, file]:
            told, catalog = json.loads(Path(file).read_text(encoding="utf-8")), catalog_of(language)
            gone = [text for text in told if catalog.get(text) is None]
            left = fill(language, {text: form for text, form in told.items() if text not in gone})
            print(f"{language}: {left} messages are not translated yet; {len(gone)} of the file are no messages.")
        case ["begin", language]:
            update(language)
        case ["check"]:
            _refuse([one for language in COMPLETE for one in lacking(language, catalog_of(language))])
        case _:
            found, told = template(), []
            for language in languages():
                catalog = update(language, found=found)
                told += problems(language, catalog)
                entries = [entry for entry in catalog if entry.id]
                print(f"{language:<8} {sum(map(_is_translated, entries)):>5} of {len(entries)} messages")
            _refuse(told)


def _refuse(told: list[str]) -> None:
    if told:
        raise CatalogError(
            "Translations cannot be shown as they are.",
            found="\n".join(told),
            to_try="correct them in retention_kit/present/locale, then run `make i18n`",
        )


def _place(language: str) -> Path:
    return CATALOGS / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def _write(language: str, catalog: Catalog) -> None:
    """Write a catalog and, beside it and after it, the same compiled."""
    place, text, compiled = _place(language), BytesIO(), BytesIO()
    for entry in catalog:
        entry.flags.discard("python-format")  # Babel takes "95% interval" for one
    write_po(text, catalog, width=100, include_lineno=False, ignore_obsolete=True)
    write_mo(compiled, catalog)
    place.parent.mkdir(parents=True, exist_ok=True)
    write_whole({place: text.getvalue()})
    write_whole({place.with_suffix(".mo"): compiled.getvalue()})


def _key(entry: Entry) -> str:
    return entry.id[0] if entry.pluralizable else entry.id


def _forms(text: str | Iterable[str]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def _is_translated(entry: Entry) -> bool:
    return all(_forms(entry.string)) and bool(entry.string)


def _faults(entry: Entry, catalog: Catalog, terms: Mapping[str, list[str]]) -> Iterator[str]:
    """Yield what is wrong with one translation."""
    written, told = _forms(entry.id), _forms(entry.string)
    if entry.pluralizable and len(told) != catalog.num_plurals:
        yield f"{len(told)} forms, not {catalog.num_plurals}"
        return
    for nth, form in enumerate(told):
        try:
            found = places(form)
        except ValueError:
            yield f"braces that do not close in {form!r}"
            continue
        wanted = places(written[-1])
        # of "one day" and the like the number may be a word
        if found != wanted and not (entry.pluralizable and nth < len(told) - 1 and found < wanted):
            yield f"places {listed(sorted(found))}, not {listed(sorted(wanted))}"
        if _marks(form) != _marks(written[-1]):
            yield f"code, links or ** that differ in {form!r}"
        if re.search(r"\w", written[-1]) and (form.strip() != form) != (written[-1].strip() != written[-1]):
            yield f"a blank at an end of {form!r}"
    for term in _terms_in(written[-1], terms):
        if not any(stem.casefold() in form.casefold() for stem in terms[term] for form in told):
            yield f"'{term}' is called {listed(terms[term])} here"


def _marks(text: str) -> tuple[list[str], list[str], int]:
    """Return the code spans, addresses and number of ** of a text."""
    return sorted(re.findall(r"`[^`]+`", text)), sorted(re.findall(r"\]\(([^)]*)\)", text)), text.count("**")


def _terms_in(text: str, terms: Mapping[str, list[str]]) -> Iterator[str]:
    """Yield the terms in an English text, the longer of two that overlap."""
    for term in sorted(terms, key=len, reverse=True):
        text, n = re.subn(rf"\b{re.escape(term)}(e?s)?\b", " ", text, flags=re.IGNORECASE)
        if n:
            yield term


def _messages() -> Iterator[Found]:
    """Yield every message, file by file."""
    root = _PACKAGE.parent
    for path in sorted(_PACKAGE.rglob("*.py")):
        if path.name != "languages.py":
            yield from _of_python(path.read_text(encoding="utf-8"), where=path.relative_to(root).as_posix())
    for path in sorted(_PACKAGE.rglob("*.j2")):
        yield from _of_template(path, where=path.relative_to(root).as_posix())
    for name, metric in METRICS.items():
        where = metric.function.__module__.replace(".", "/") + ".py"
        yield Found(metric.definition, where, (f"definition of the metric {name}",))
        yield Found(metric.unit, where, (f"unit of the metric {name}",))
    for path in sorted((project_root() / "notebooks").glob("*.ipynb")):
        if "language: str" in path.read_text(encoding="utf-8"):  # it makes reports
            yield from _of_notebook(path)


def _of_python(source: str, *, where: str) -> Iterator[Found]:
    """Yield the messages of a module: what its calls of `_`, `N_`, `ngettext`, `pgettext` and `Message` are given.

    A translator is told by comments that begin with `Translators:` and by the first line of the function's docstring.
    """
    comments = _comments(source)
    for node, about in _calls(ast.parse(source), about=""):
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        texts = [arg.value for arg in node.args[: _CALLS.get(name, 0)] if isinstance(arg, ast.Constant)]
        if not texts or not texts[0]:
            continue
        told = tuple(filter(None, [_comment_above(comments, node.lineno), about]))
        if name == "pgettext":
            yield Found(texts[1], where, told, context=texts[0])
        else:
            yield Found((texts[0], texts[1]) if len(texts) == 2 else texts[0], where, told)


def _calls(node: ast.AST, *, about: str) -> Iterator[tuple[ast.Call, str]]:
    """Yield the calls within a node in the order of the file, each with the first line on its function."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        about = (ast.get_docstring(node) or "").split("\n")[0] or about
    for child in ast.iter_child_nodes(node):
        yield from _calls(child, about=about)
    if isinstance(node, ast.Call):
        yield node, about


def _comments(source: str) -> dict[int, str]:
    """Return what translators are told, by the line it stands on."""
    lines = enumerate(source.split("\n"), start=1)
    found = ((nth, re.search(r"#\s*Translators:\s*(.*)", line)) for nth, line in lines)
    return {nth: match[1].strip() for nth, match in found if match}


def _comment_above(comments: Mapping[int, str], line: int) -> str:
    """Return the nearest comment at most a dozen lines above: one may stand over a whole table of messages."""
    near = [nth for nth in comments if line - 12 <= nth <= line]
    return comments[max(near)] if near else ""


def _of_template(path: Path, *, where: str) -> Iterator[Found]:
    with path.open("rb") as file:
        for _line, function, text, comments in babel_extract(file, ("_", "ngettext"), ["Translators:"], {}):
            told = tuple(comment.removeprefix("Translators:").strip() for comment in comments)
            yield Found(tuple(text[:2]) if function == "ngettext" else text, where, told)


def _of_notebook(path: Path) -> Iterator[Found]:
    """Yield the prose of a notebook, and the texts its code gives to be shown."""
    where = f"notebooks/{path.name}"
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            for piece in pieces(cell.source):
                if piece.text:
                    kind = "heading" if piece.mark.startswith("#") else "item of a list" if piece.mark else "paragraph"
                    yield Found(piece.text, where, (f"{kind} of a report; Markdown",))
        elif cell.cell_type == "code":
            for text in _shown(ast.parse(cell.source)):
                yield Found(text, where, ("title of a figure or table",))


def _shown(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        pairs: list[tuple[Any, ast.expr]] = []
        if isinstance(node, ast.Call):
            pairs = [(keyword.arg, keyword.value) for keyword in node.keywords]
        elif isinstance(node, ast.Dict):
            pairs = [
                (key.value, value)
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant)
            ]
        for name, value in pairs:
            if name in _SHOWN_BY_NOTEBOOKS and isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value.value


if __name__ == "__main__":
    main(sys.argv[1:])
