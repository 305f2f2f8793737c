"""HTML: the templates, in which every value is escaped, and what a notebook shows of it."""

from dataclasses import dataclass
from functools import cache

import jinja2
import pandas as pd

from peta_viz.words import counted

# A page may show what it carries and nothing else: no request leaves the file, no script runs.
POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; "
    "base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True)
class Still:
    """A piece of self-contained HTML that notebooks show as a picture."""

    html: str

    def _repr_html_(self) -> str:
        return self.html


@cache
def templates() -> jinja2.Environment:
    """Return the package's templates; every value in them is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("peta_viz"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["counted"] = counted
    return environment


def page(title: str, words: str, table: pd.DataFrame, still: Still) -> str:
    """Return a page of its own: words, a table, and a still picture below."""
    return (
        templates()
        .get_template("page.html.j2")
        .render(
            policy=POLICY,
            title=title,
            words=words,
            table=table.to_html(index=False, border=0, na_rep="–"),  # which escapes
            still=still.html,
        )
    )
