"""HTML: the templates, in which every value is escaped, and what a notebook shows of it."""

from dataclasses import dataclass
from functools import cache

import jinja2


@dataclass(frozen=True)
class Still:
    """A piece of self-contained HTML that notebooks show as a picture."""

    html: str

    def _repr_html_(self) -> str:
        return self.html


@cache
def templates() -> jinja2.Environment:
    """Return the package's templates; every value in them is escaped."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("peta_viz"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
