"""Reads the JavaScript and CSS of a widget.

A widget's front end is one ES module, but its parts are files of their own, so that several
widgets share them and Node can test them. They are joined here: `import … from "./part.js"` lines
go, and so does the word `export` in front of what a part offers.
"""

import re
from importlib.resources import files

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./(?P<name>[\w-]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)
_STATIC = files("peta_viz.widgets") / "static"


def javascript(name: str) -> str:
    """Return the module ``static/<name>`` with the parts that it imports in front of it."""
    return "\n".join(_parts(name, set()))


def css(*names: str) -> str:
    """Return style sheets, joined."""
    return "\n".join((_STATIC / name).read_text(encoding="utf-8") for name in names)


def _parts(name: str, seen: set[str]) -> list[str]:
    if name in seen:
        return []
    seen.add(name)
    source = (_STATIC / name).read_text(encoding="utf-8")
    before = [part for found in _IMPORT.finditer(source) for part in _parts(found["name"], seen)]
    return [*before, _EXPORT.sub("", _IMPORT.sub("", source))]
