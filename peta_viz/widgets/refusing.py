"""Widgets that stay as they are where their front end sends what they cannot take."""

from collections.abc import Mapping
from typing import Any

import ipywidgets
import traitlets

from peta_viz.errors import PetaVizError


class Refusing(ipywidgets.Widget):
    """A widget that puts right what its front end has wrong.

    Without this a value that does not fit would end in a traceback in whatever cell ran last, and
    would stand in the front end as if it had been taken.
    """

    def set_state(self, sync_data: Any) -> None:
        """Take traits from the front end: all of them, or none and say why."""
        if not isinstance(sync_data, Mapping):
            return
        kept = {name: getattr(self, name) for name in sync_data if name in self.keys}
        try:
            super().set_state(sync_data)
        except Exception as error:  # noqa: BLE001 - an exception here would be shown nowhere
            for name, value in kept.items():
                self.set_trait(name, value)
            self.send_state(list(kept))
            self.send({"error": words_of(error), "id": None})


def words_of(error: Exception) -> str:
    """Say what went wrong; the kind of an exception only where it is none of ours."""
    if isinstance(error, PetaVizError | traitlets.TraitError):
        return str(error)
    return f"{type(error).__name__}: {error}"
