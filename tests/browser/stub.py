"""A widget without Jupyter: the real Python object and its real front end, and a bridge.

The page's model sends what it is told to Python, where the widget handles it at once, and gets
back what the widget sent and which traits changed.
"""

import base64
import json
from pathlib import Path

PAGE = """<!DOCTYPE html><html><head><meta charset="utf-8"><style>body { margin: 0 } CSS</style></head>
<body data-jp-theme-light="LIGHT"><div id="at"></div></body></html>"""

SCRIPT = """
async ([esm, state]) => {
  const model = {
    state, dirty: {}, heard: {},
    get(name) { return this.state[name] },
    set(name, value) { this.state[name] = value; this.dirty[name] = value; this.emit("change:" + name); this.emit("change") },
    save_changes() { const changes = this.dirty; this.dirty = {}; this.tell({ traits: changes }) },
    send(content) { this.tell({ message: content }) },
    on(name, act) { (this.heard[name] ??= []).push(act) },
    off(name, act) { this.heard[name] = (this.heard[name] ?? []).filter((a) => a !== act) },
    emit(name, ...rest) { for (const act of [...(this.heard[name] ?? [])]) act(...rest) },
    async tell(what) {
      const answer = await window.tellPython(JSON.stringify(what));
      if (this.silent) return;
      this.take(answer);
    },
    take({ traits, messages }) {
      const changed = Object.keys(traits).filter((n) => JSON.stringify(traits[n]) !== JSON.stringify(this.state[n]));
      for (const name of changed) this.state[name] = traits[name];
      for (const name of changed) this.emit("change:" + name);
      if (changed.length) this.emit("change");
      for (const [content, buffers] of messages) {
        const views = buffers.map((text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer));
        this.emit("msg:custom", content, views);
      }
    },
  };
  window.model = model;
  const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  const module = await import(url);
  window.cleanup = await module.default.render({ model, el: document.querySelector("#at") });
}
"""


class Stub:
    """Shows a widget in a page; `sent` are the messages, and `bytes_sent` their buffers' size."""

    def __init__(self, page, widget, *, light=True):
        self.page, self.widget = page, widget
        self.sent, self.asked = [], []
        self._queue, self._changed = [], {}
        widget.send = lambda content, buffers=None: self._queue.append((content, buffers or []))
        widget.observe(self._note)
        page.expose_function("tellPython", self._tell)
        html = PAGE.replace("CSS", str(widget._css)).replace("LIGHT", str(light).lower())
        page.set_content(html)
        page.evaluate(SCRIPT, [str(widget._esm), self._state()])

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

    def push(self):
        """Bring what Python changed on its own to the page."""
        self.page.evaluate("(what) => window.model.take(what)", self._flush())

    def settle(self):
        """Wait until everything in view is there."""
        self.page.wait_for_selector(".pv-gallery[data-pending='0']", timeout=15_000)

    def shot(self, path):
        self.page.screenshot(path=str(Path(path)))
