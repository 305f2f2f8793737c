"""A widget without Jupyter: the real Python object and its real front end, and a bridge.

The page's model sends what it is told to Python, where the widget handles it at once, and gets
back what the widget sent and which traits changed.
"""

import base64
import json
from contextlib import contextmanager
from pathlib import Path

PAGE = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><style>body { margin: 0 } CSS</style></head>
<body data-jp-theme-light="LIGHT"><div id="at"></div></body></html>"""

SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


class Stub:
    """Shows a widget in a page.

    `asked` is what the page sent, `sent` what the widget did; `changes` are pieces of the front
    end to be replaced, such as the time after which it loses patience.
    """

    def __init__(self, page, widget, *, light=True, changes=None):
        self.page, self.widget = page, widget
        self.sent, self.asked = [], []
        self._queue, self._changed = [], {}
        widget.send = lambda content, buffers=None: self._queue.append((content, buffers or []))
        widget.observe(self._note)
        page.expose_function("tellPython", self._tell)
        html = PAGE.replace("CSS", str(widget._css)).replace("LIGHT", str(light).lower())
        page.set_content(html)
        source = str(widget._esm)
        for old, new in (changes or {}).items():
            assert old in source
            source = source.replace(old, new)
        page.evaluate(SCRIPT, [source, self._state()])

    def _state(self):
        names = set(self.widget.trait_names(sync=True)) - {"_esm", "_css", "layout"}
        return {n: json.loads(json.dumps(getattr(self.widget, n), default=str)) for n in names}

    def _note(self, change):
        if change["name"] in self.widget.keys and change["name"] != "layout":
            self._changed[change["name"]] = change["new"]

    def _tell(self, text):
        what = json.loads(text)
        self.asked.append(what)
        for name, value in what.get("traits", {}).items():
            setattr(self.widget, name, value)
        if "message" in what:
            self.widget._handle_custom_msg(what["message"], [])
        return self._flush()

    def _flush(self):
        messages, self._queue = self._queue, []
        traits, self._changed = self._changed, {}
        self.sent += messages
        coded = [[c, [base64.b64encode(b).decode() for b in bs]] for c, bs in messages]
        return {"traits": traits, "messages": coded}

    def messages(self, kind):
        """Return the requests of one kind."""
        messages = [what["message"] for what in self.asked if "message" in what]
        return [message for message in messages if message["kind"] == kind]

    def push(self):
        """Bring what Python changed on its own to the page."""
        self.page.evaluate("(what) => window.model.take(what)", self._flush())

    def answered(self):
        """Wait until Python has answered all that it was told."""
        self.page.wait_for_function("window.model.open === 0")

    def settle(self):
        """Wait until everything in view is there, and what is next to it."""
        ready = ".pv-gallery[data-pending='0'][data-around='true']"
        self.page.wait_for_selector(ready)

    @contextmanager
    def renewed(self):
        """Wait until what is done inside has changed what is shown, and that is there."""
        before = self.page.evaluate("window.model.state._version")
        yield
        self.page.wait_for_function(
            "(before) => Number(see.gallery().version ?? 0) > before",
            arg=before,
        )
        self.settle()

    @contextmanager
    def marked(self):
        """Wait until what is done inside has changed the selection, and that is shown."""
        before = self.page.evaluate("window.model.state._marks")
        yield
        self.page.wait_for_function(
            "(before) => window.model.state._marks > before && "
            "Number(see.gallery().marks) === window.model.state._marks",
            arg=before,
        )
        self.settle()

    def rows(self):
        """Return the row numbers of the pictures that are drawn, in the order one sees them."""
        return self.page.evaluate("see.rows()")

    def items(self):
        """Return the places of what is drawn."""
        return self.page.evaluate("see.places()")

    def scroll(self, share):
        """Scroll to a share of the height, and wait until everything there has come."""
        self.page.evaluate("(share) => see.scroll(share)", share)
        self.settle()

    def shot(self, path):
        self.page.screenshot(path=str(Path(path)))
