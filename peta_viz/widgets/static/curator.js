// The curator: one component, its pictures and labels, and what may be done to it.
import { Closeup } from "./closeup.js";
import { hideStill, make, said } from "./dom.js";
import { BUTTONS, WAYS, keysHelp, meaning } from "./deeds.js";
import { Labels } from "./labels.js";
import { Sheet } from "./sheet.js";
import { Pictures, Wire } from "./wire.js";

const STALLED = "The kernel does not answer: it is busy, or it was restarted (then run the cell again). What is not shown as saved is not saved.";
const LOOK_MS = 200; // nobody sees anything in less
const UNSEEN = ["undo", "redo", "note"]; // which decide nothing about what is on top
const NOT_THERE = "The pictures are not there yet.";
const REMARKS = ["note", "label error", "model mistake"];
const SIZES = ["change:height_px", "change:picture_px"];

class View {
  constructor(model, el) {
    this.model = model;
    this.facts = model.get("_facts");
    this.name = `pv-${Math.random().toString(36).slice(2)}`;
    this.state = null;
    this.busy = false;
    this.wire = new Wire(model, (stalled) => this.stall(stalled));
    this.pictures = new Pictures(this.wire, { onArrival: () => this.pictured(), onError: (error) => this.fail(error) });
    this.build(el);
    this.onVersion = () => this.follow();
    model.on("change:_version", this.onVersion);
    this.onSize = () => this.measure();
    for (const name of SIZES) model.on(name, this.onSize);
    this.watch = new ResizeObserver(() => this.sheet.fit());
    this.watch.observe(this.sheet.element, { box: "border-box" }); // its padding is its own doing
    this.measure();
    this.ask({ kind: "case" });
  }

  build(el) {
    this.sheet = new Sheet(this.pictures, {
      onCell: (row, value) => this.act({ what: "relabel", label: this.labels.current, value, rows: [row] }),
      onChosen: () => this.buttons(),
      onLarge: (place) => this.closeup.open(place),
    });
    this.labels = new Labels(this.facts, {
      onCurrent: () => this.paint(),
      onSet: (label, value) => this.act({ what: "relabel", label, value, rows: this.sheet.rows() }),
      onHead: (head) => this.act({ what: "accept", head }),
      onFix: (label, doubt) => this.fix(label, doubt),
      onAsk: (label) => this.wire.ask({ kind: "label", label }).then(([answer]) => answer.label),
      onError: (error) => this.fail(error),
      onFound: () => this.refuse(""),
      toRoot: () => this.root.focus({ preventScroll: true }),
    });
    this.bar = make("progress", { class: "pv-progress", max: 1, value: 0, "aria-label": "done of the queue" });
    this.progress = make("span", { class: "pv-status" });
    this.title = make("div", { class: "pv-case" });
    this.note = make("input", { class: "pv-query", type: "text", "aria-label": "note", placeholder: "note (t)", maxLength: 2000, onkeydown: (event) => this.noteKey(event), onchange: () => this.writeNote() });
    this.deeds = make("div", { class: "pv-line pv-deeds", role: "toolbar", "aria-label": "what to do" }, ...BUTTONS.map((button) => this.button(button)));
    const wake = () => this.root.focus({ preventScroll: true });
    // It goes as soon as it has the focus, before a click of the mouse is over.
    this.wake = make("button", { type: "button", class: "pv-button pv-wake", text: "click here to use the keys", onclick: wake, onmousedown: (event) => (event.preventDefault(), wake()) });
    this.ways = make("div", { class: "pv-deeds pv-group", role: "toolbar", "aria-label": "where to go" }, ...WAYS.map((button) => this.button(button)));
    this.status = make("span", { class: "pv-status", role: "status" });
    this.problem = make("div", { class: "pv-problem", role: "alert", hidden: true });
    this.help = keysHelp(`${this.name}-keys`);
    this.body = make("div", { class: "pv-desk" }, make("div", { class: "pv-wall" }, this.sheet.bar, this.sheet.element), this.labels.element);
    this.done = make("div", { class: "pv-done", hidden: true });
    const helpButton = make("button", { type: "button", class: "pv-button", text: "?", title: "keys", "aria-label": "keys", onclick: () => (this.help.hidden = !this.help.hidden) });
    const write = make("button", { type: "button", class: "pv-button", text: "Write corrected labels", title: "write the corrected labels and the list of changes beside the log", onclick: () => this.ask({ kind: "export" }) });
    this.root = make(
      "div",
      { class: "pv-gallery pv-curator", "data-lm-suppress-shortcuts": "true", tabindex: "0", role: "region", "aria-label": "curator", "aria-describedby": this.help.id, onkeydown: (event) => this.key(event) },
      hideStill(this.model),
      this.bar,
      make("div", { class: "pv-bar" }, make("div", { class: "pv-line" }, this.title, make("span", { class: "pv-slot" }, this.sheet.choice, this.wake), this.ways), this.deeds),
      make("div", { class: "pv-stage" }, this.body, this.done, this.help),
      make("div", { class: "pv-foot" }, this.status, this.problem, this.note, write, helpButton),
      make("div", { class: "pv-foot" }, this.progress),
    );
    // The keys go on working after a click of the mouse; whoever walks by Tab stays where they are.
    this.root.addEventListener("click", (event) => event.detail && event.target.closest("button") && this.root.focus({ preventScroll: true }));
    this.closeup = new Closeup(this.root, {
      wire: this.wire,
      pictures: this.pictures,
      images: () => this.state.images,
      labels: (place) => this.labels.of(place),
    });
    el.append(this.root);
  }

  button({ name, text, shown, keys, words }) {
    return make("button", { type: "button", class: "pv-button", "data-deed": name, title: words, "aria-keyshortcuts": keys.join(" "), onclick: () => this.deed(name) }, text, make("kbd", { text: shown[0] }));
  }

  measure() {
    this.root.style.setProperty("--pv-height", `${this.model.get("height_px")}px`);
    const picture = this.model.get("picture_px");
    if (picture === this.sheet.usual) return this.sheet.fit();
    this.sheet.usual = picture;
    this.pictures.clear();
    if (this.state) this.draw(true);
  }

  close() {
    this.model.off("change:_version", this.onVersion);
    for (const name of SIZES) this.model.off(name, this.onSize);
    this.watch.disconnect();
    clearTimeout(this.looking);
    this.wire.close();
    this.closeup.free();
    this.pictures.close();
    this.root.remove();
  }

  // The conversation.

  /** Ask, and show what comes back; until then nothing else is asked. Returns whether it was done. */
  async ask(message) {
    // A click on a button takes the focus from the note, which is written first.
    if (this.busy && this.noting) await this.noting;
    if (this.busy) return false;
    this.busy = true;
    this.refuse("");
    this.root.toggleAttribute("data-busy", true);
    const answer = await this.wire.ask(message).catch((error) => this.fail(error));
    this.busy = false;
    this.root.toggleAttribute("data-busy", false);
    if (answer) this.take(answer[0]);
    return Boolean(answer) && !answer[0].refused;
  }

  async act(message) {
    // The second tap of two was for the component before: what comes next has not been seen yet.
    if (this.root.hasAttribute("data-unseen") && !UNSEEN.includes(message.what)) return this.sheet.missing() && this.refuse(NOT_THERE);
    const done = await this.ask({ kind: "act", component: this.state?.component, ...message });
    // What was chosen for one act must not go unseen into the next; remarks may be several.
    if (done && !REMARKS.includes(message.mark ?? message.what)) this.sheet.choose([]);
  }

  take(state) {
    const first = !this.state;
    const moved = this.state?.component !== state.component;
    this.state = state;
    this.version = state.version;
    this.refuse(state.refused);
    if (state.said) this.saved = state.said;
    const page = this.root.getRootNode();
    if (moved && this.closeup.dialog.open) this.closeup.dialog.close();
    const focused = this.root.contains(page.activeElement);
    if (moved) this.root.toggleAttribute("data-unseen", true);
    this.draw(moved);
    // What had the focus may be drawn anew; without it the keys would lead nowhere.
    if (focused && !this.root.contains(page.activeElement)) this.root.focus({ preventScroll: true });
    if (first && idle(this.root)) this.root.focus({ preventScroll: true });
    this.root.dataset.component = String(state.component ?? "");
    this.root.dataset.place = String(state.place);
    this.root.dataset.answers = String(Number(this.root.dataset.answers ?? 0) + 1);
  }

  /** Another view of the widget has done something. */
  follow() {
    if (!this.busy && this.model.get("_version") !== this.version) this.ask({ kind: "case" });
  }

  stall(stalled) {
    this.root.toggleAttribute("data-stalled", stalled);
    this.words();
  }

  fail(error) {
    this.refuse(error.unsent ? STALLED : `This was not done: ${error.message}`);
  }

  refuse(words) {
    this.problem.textContent = words;
    this.problem.hidden = !words;
    this.status.hidden = Boolean(words); // whose place it takes: nothing moves
  }

  // What is shown.

  draw(moved) {
    const { state } = this;
    const at = state.component !== null;
    this.body.hidden = !at;
    this.done.hidden = at;
    this.note.disabled = !at;
    if (at) {
      this.head();
      this.labels.draw(state, moved);
      this.sheet.draw(state, moved);
      if (moved || this.root.getRootNode().activeElement !== this.note) this.note.value = state.note;
      this.paint();
    } else this.finish();
    this.words();
    this.buttons();
    this.wish();
  }

  head() {
    const { component, images, facts, deciders, touched, note } = this.state;
    const kept = images.filter((image) => image.kept).length;
    const out = kept < images.length ? `, ${images.length - kept} dropped` : "";
    const count = (kept === 1 ? "1 image" : `${kept} images`) + out;
    const by = [];
    if (deciders.length) by.push(make("span", { class: "pv-by", title: "settled by" }, "✓ ", said(deciders.join(", "))));
    if (touched.length) by.push(make("span", { class: "pv-figure", title: "this component is still open for them" }, "touched by ", said(touched.join(", "))));
    this.title.replaceChildren(
      ...(this.facts.blind ? [make("b", { class: "pv-badge", text: "blind", title: "predictions, sources and what others decided are hidden; what you decide counts for judging experiments" })] : []),
      make("b", {}, "component ", said(String(component))),
      make("span", { class: "pv-figure", text: count }),
      ...facts.map(([name, value]) => make("span", { class: "pv-figure" }, said(name), " ", said(value))),
      ...by,
      note ? make("span", { class: "pv-note", title: note }, said(note)) : "",
    );
  }

  finish() {
    const { left } = this.state.progress;
    const skipped = left === 1 ? "the one that was skipped" : `the ${left} that were skipped`;
    this.title.replaceChildren(make("b", { text: "end of the queue" }));
    this.note.value = "";
    this.sheet.choose([]);
    const again = make("button", { type: "button", class: "pv-button", text: `Go through ${skipped}`, onclick: () => this.ask({ kind: "next", place: 0 }) });
    this.done.replaceChildren(
      make("h3", { text: left ? "That was the end of the queue." : "All of it is done." }),
      make("p", { text: "Everything is in the log; the arrow back leads to the last component." }),
      ...(left ? [again] : []),
    );
  }

  words() {
    if (!this.state) return;
    const { place, total, progress, component } = this.state;
    const parts = [`${progress.done.toLocaleString("en")} done`, `${progress.left.toLocaleString("en")} left`, `${progress.changed.toLocaleString("en")} changed`];
    if (progress.seconds) parts.push(`${progress.seconds < 10 ? progress.seconds.toFixed(1) : Math.round(progress.seconds)} s each`);
    parts.push(`by ${this.facts.person}`, ...progress.others.map(([name, count]) => `${count} by ${name}`));
    if (component !== null) parts.unshift(`${place + 1} of ${total}`);
    if (this.facts.queue) parts.push(`queue ${this.facts.queue}`);
    if (this.facts.blind) parts.push("blind");
    if (progress.foreign) parts.push(`${progress.foreign} acts in the log are about components of another clustering`);
    this.progress.textContent = parts.join(" · ");
    this.bar.max = total;
    this.bar.value = progress.done;
    this.status.textContent = this.root.hasAttribute("data-stalled") ? STALLED : this.saved ? `Saved: ${this.saved}` : "";
  }

  buttons() {
    const { state } = this;
    if (!state) return;
    const chosen = this.sheet.chosen.size;
    const at = state.component !== null;
    for (const button of [...this.deeds.children, ...this.ways.children]) {
      const { deed } = button.dataset;
      const mark = BUTTONS.find(({ name }) => name === deed)?.mark;
      const free = { undo: Boolean(state.undo), redo: Boolean(state.redo), back: state.place > 0, drop: at && chosen > 0, copy: at && chosen === 1, skip: at }[deed] ?? at;
      button.disabled = !free;
      if (mark) button.setAttribute("aria-pressed", { all: "true", some: "mixed" }[state.marks?.[mark]] ?? "false");
      if (deed === "undo" || deed === "redo") button.title = state[deed] ? `${deed}: ${state[deed][1]}` : `nothing to ${deed}`;
    }
  }

  /** What each picture has of the label that the keys are at. */
  paint() {
    this.sheet.paint(this.labels.current, this.labels.states(), this.labels.doubted());
  }

  pictured() {
    this.sheet.arrived();
    this.count();
  }

  wish() {
    const rows = this.state.component === null ? [] : this.state.images.map(({ row }) => row);
    this.pictures.want(rows, [...rows, ...this.state.coming]);
    this.sheet.arrived();
    this.count();
  }

  count() {
    const missing = this.sheet.missing();
    this.root.dataset.pending = String(missing);
    clearTimeout(this.looking);
    if (missing) return;
    if (this.problem.textContent === NOT_THERE) this.refuse("");
    this.looking = setTimeout(() => this.root.toggleAttribute("data-unseen", false), LOOK_MS);
  }

  // What hands ask for.

  deed(name) {
    const mark = BUTTONS.find((button) => button.name === name)?.mark;
    const rows = this.sheet.rows();
    if (mark) return this.act({ what: "mark", mark, rows });
    return {
      accept: () => this.act({ what: "accept" }),
      head: () => this.labels.head && this.act({ what: "accept", head: this.labels.head }),
      copy: () => this.act({ what: "copy", rows }),
      split: () => (rows.length ? this.act({ what: "split", rows }) : this.suggest()),
      drop: () => this.act({ what: "drop", rows }),
      note: () => this.note.focus(),
      back: () => this.ask({ kind: "go", place: this.state.place - 1 }),
      skip: () => this.ask({ kind: "go", place: this.state.place + 1 }),
      undo: () => this.act({ what: "undo", expected: this.state.undo?.[0] }),
      redo: () => this.act({ what: "redo", expected: this.state.redo?.[0] }),
    }[name]();
  }

  /** First choose what seems to be something else; the same key again splits it off. */
  suggest() {
    const suggested = this.state.images.filter((image) => image.suggested).map(({ row }) => row);
    if (suggested.length) this.sheet.choose(suggested);
    else this.refuse("nothing tells these images apart: choose those that show something else (1 … 9)");
  }

  /** Set what is suggested, and go on to what is doubted next; where nothing is, first go there. */
  async fix(label, doubt) {
    if (!doubt) return this.labels.toDoubted() || this.refuse("no label is doubted here, or all of them are decided");
    const [places, , value] = doubt;
    await this.act({ what: "fix", label, value, rows: places.map((place) => this.state.images[place].row) });
    if (this.state.component !== null && !this.labels.doubt) this.labels.toDoubted();
  }

  noteKey(event) {
    event.stopPropagation();
    if (event.key === "Escape") this.note.value = this.state.note;
    if (event.key === "Enter" || event.key === "Escape") this.root.focus({ preventScroll: true });
  }

  writeNote() {
    if (this.state.component === null || this.note.value === this.state.note) return;
    this.noting = this.act({ what: "note", text: this.note.value }).finally(() => (this.noting = null));
  }

  key(event) {
    if (event.target.matches("input, select, textarea")) return;
    // A button that has the focus is pressed by these itself.
    if ((event.key === "Enter" || event.key === " ") && event.target !== this.root) return;
    const what = meaning(event);
    if (!what || !this.state) return;
    event.preventDefault();
    event.stopPropagation();
    const { deed, label, image, set } = what;
    if (event.repeat && !label) return; // a key that is held down decides once
    if (deed) {
      const button = this.root.querySelector(`[data-deed="${deed}"]`);
      if (!button || !button.disabled) this.deed(deed);
      else if (deed === "drop") this.refuse("choose the images to drop (1 … 9)");
      else if (deed === "copy") this.refuse("choose the one image whose labels are right (1 … 9)");
    } else if (what.help || (what.choose === "none" && !this.help.hidden)) this.help.hidden = !this.help.hidden;
    else if (this.state.component === null) return;
    else if (image !== undefined) this.sheet.toggle(image);
    else if (label) this.labels.move(label);
    else if (set && this.labels.current) this.act({ what: "relabel", label: this.labels.current, value: set, rows: this.sheet.rows() });
    else if (what.fix) this.fix(this.labels.current, this.labels.doubt);
    else if (what.large) this.closeup.open(Math.max(0, this.sheet.first()));
    else if (what.find) this.labels.find();
    else if (what.choose) this.sheet.pick(what.choose);
  }
}

/** Is an element in view, and does the person type nowhere else, nor walk through another output? */
function idle(element) {
  const { top, bottom, width } = element.getBoundingClientRect();
  const busy = "input, textarea, select, button, dialog, [contenteditable=true], .jp-OutputArea, .pv-gallery";
  const { activeElement } = document;
  const seen = width > 0 && top >= 0 && top < innerHeight && bottom <= innerHeight + (bottom - top) / 3;
  return seen && !activeElement?.matches(busy) && !activeElement?.closest(busy);
}

function render({ model, el }) {
  const view = new View(model, el);
  return () => view.close();
}

export default { render };
