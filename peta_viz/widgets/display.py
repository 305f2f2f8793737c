"""Shows a widget, and a still picture of it for whenever there is no kernel to move it."""

from typing import Any
from uuid import uuid4

import traitlets
from IPython.display import display

from peta_viz.markup import Still


class WithStill(traitlets.HasTraits):
    """A widget that is displayed as two outputs: itself, and its still picture.

    JupyterLab shows only the first form of an output that it knows, and of a widget whose kernel
    is gone nothing but an error; so the still picture is an output of its own. While a view of the
    widget is in the page, the view hides the still picture that carries its `_still_id`.
    """

    _still_id = traitlets.Unicode().tag(sync=True)

    @traitlets.default("_still_id")
    def _new_still_id(self) -> str:
        return uuid4().hex[:12]

    def _small_still(self) -> Still:
        """Return the picture, small enough to be stored in a notebook."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        data, metadata = _parts(super()._repr_mimebundle_(**kwargs))  # type: ignore[misc]
        return {**data, "text/html": self._small_still().html}, metadata

    def _ipython_display_(self) -> None:
        data, metadata = _parts(super()._repr_mimebundle_())  # type: ignore[misc]
        display(data, metadata=metadata, raw=True)
        still = f'<div data-pv-still="{self._still_id}">{self._small_still().html}</div>'
        display({"text/html": still, "text/plain": ""}, raw=True)


def _parts(bundle: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Take what a widget's `_repr_mimebundle_` returns: data and metadata, data alone, or None."""
    return bundle if isinstance(bundle, tuple) else (bundle or {}, {})
