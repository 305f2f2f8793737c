// One image, large, with all its labels and the other images of its component.
import { LargePicture } from "./dialog.js";
import { chip, make, said } from "./dom.js";
import { thicken, titleOf } from "./items.js";

const STRIP_PX = 72;
const MARKS = { true: ["✓", "carried"], false: ["–", "not carried"], null: ["?", "not known"] };

/** `view()` is what the gallery shows, `onWant` hears of new `wanted`. */
export class Enlarged extends LargePicture {
  constructor(root, { wire, pictures, view, onWant, onClose }) {
    const strip = make("div", { class: "pv-large-strip", role: "group", "aria-label": "the component's images" });
    super(root, "image", strip);
    Object.assign(this, { wire, pictures, view, onWant, onClose, strip, row: null, wanted: [] });
  }

  /** Show a row; `among` says that it is not one of those on display, but of its component. */
  async open(row, { among = false } = {}) {
    this.row = row;
    if (!among) this.origin = row;
    this.raise();
    this.dialog.toggleAttribute("data-waiting", true);
    this.preview(this.pictures.get(row)?.url, "");
    const failed = (error) => this.row === row && this.say(`The kernel could not do this: ${error.message}`);
    const answer = await this.wire.ask({ kind: "image", row }).catch(failed);
    if (!answer || this.row !== row || !this.dialog.open) return; // another was asked for meanwhile
    this.details = answer[0].details;
    this.tell(...answer);
  }

  tell({ details, problem }, [bytes]) {
    this.dialog.toggleAttribute("data-waiting", false);
    if (bytes) this.show(bytes, details.id);
    else this.say("This image cannot be shown: ", said(problem));
    const place = details.component ? [" component ", said(details.component), `, ${details.position + 1} of ${details.size}`] : [];
    this.title.replaceChildren(said(details.id), make("small", {}, ...place));
    this.title.title = details.id;
    const focused = this.dialog.getRootNode().activeElement;
    const atThumb = this.strip.contains(focused);
    const atCheck = focused === this.selected;
    this.side.replaceChildren(...this.about(details));
    this.side.scrollTop = 0;
    this.fill(details);
    // What had the focus is gone; without it the keys would lead nowhere.
    if (atThumb) this.current.focus();
    else if (atCheck) this.selected.focus();
    this.dialog.dataset.row = details.row;
    this.wanted = details.images.map((image) => image.row);
    this.onWant();
  }

  about(details) {
    this.selected = make("input", { type: "checkbox", checked: details.selected, onchange: () => this.toggle() });
    const parts = [make("label", { class: "pv-large-select" }, this.selected, " selected (Space)")];
    if (details.note) parts.push(make("p", { class: "pv-note" }, said(details.note)));
    if (details.flags.length)
      parts.push(make("p", { class: "pv-flags" }, ...details.flags.map((flag) => make("span", { class: "pv-flag", title: flag }, said(flag)))));
    for (const [head, labels] of details.heads) {
      // What this image carries, what is not known of it, and what others of its component carry.
      const mentioned = labels.filter(([, state, carried]) => state !== false || carried > 0);
      if (!mentioned.length) continue;
      const list = make("ul", {}, ...mentioned.map((label) => this.label(label)));
      parts.push(make("section", {}, make("h3", {}, said(head.replaceAll("_", " ") || "other labels")), list));
    }
    const absent = details.heads.flatMap(([, labels]) => labels).filter(([, state, carried]) => state === false && !carried);
    if (absent.length)
      parts.push(
        make(
          "details",
          {},
          make("summary", { text: absent.length === 1 ? "1 label that no image here carries" : `${absent.length} labels that no image here carries` }),
          make("ul", { class: "pv-absent" }, ...absent.map(([name, , carried, known]) => make("li", {}, chip([name, carried, known])))),
        ),
      );
    const facts = details.facts.flatMap(([name, value]) => [make("dt", {}, said(name)), make("dd", {}, said(value))]);
    parts.push(make("dl", {}, make("dt", { text: "file" }), make("dd", {}, said(details.path)), ...facts));
    return parts;
  }

  label([name, state, carried, known]) {
    const [mark, words] = MARKS[state];
    return make(
      "li",
      { class: `pv-state-${state === null ? "unknown" : state}` },
      make("span", { class: "pv-mark", text: mark, role: "img", "aria-label": words, title: words }),
      chip([name, carried, known]),
    );
  }

  fill(details) {
    this.strip.replaceChildren(...details.images.map((image) => this.thumb(image, details)));
    this.arrived(details.images.map((image) => image.row));
    this.current.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  get current() {
    return this.strip.querySelector("[aria-current]");
  }

  thumb(image, details) {
    const held = details.weakest.includes(image.row);
    const words = titleOf(image, held);
    return make("button", {
      type: "button",
      class: "pv-large-thumb",
      "aria-label": words,
      "aria-current": image.row === details.row ? "true" : undefined,
      title: words,
      "data-row": String(image.row),
      "data-weakest": held ? "true" : undefined,
      "data-selected": image.selected ? "true" : undefined,
      style: `width: ${Math.max(16, Math.round(image.aspect * STRIP_PX))}px; height: ${STRIP_PX}px`,
      onclick: () => this.open(image.row, { among: true }),
    });
  }

  /** Thumbnails came in. */
  arrived(rows) {
    for (const row of rows) {
      const thumb = this.strip.querySelector(`[data-row="${row}"]`);
      const picture = thumb && this.pictures.get(row);
      if (!picture || thumb.firstChild) continue;
      if (picture.url) thumb.append(make("img", { src: picture.url, alt: "", onload: (event) => thicken(event.target) }));
      else thumb.append(make("span", { class: "pv-missing", text: "✕", title: picture.problem }));
    }
  }

  async toggle() {
    const { details, selected, current } = this;
    if (!details || details.row !== this.row) return;
    details.selected = !details.selected;
    selected.checked = details.selected;
    current.toggleAttribute("data-selected", details.selected);
    await this.wire.ask({ kind: "select", how: "toggle", row: details.row });
  }

  step(by) {
    this.move(by > 0 ? "ArrowRight" : "ArrowLeft");
  }

  /** Through what is on display, or through the component, as the key and the view say. */
  async move(key) {
    if (this.row === null || !this.details) return;
    const by = key === "ArrowRight" || key === "ArrowDown" ? 1 : -1;
    const sideways = key === "ArrowRight" || key === "ArrowLeft";
    const grouped = this.view() === "components";
    if (sideways === grouped) {
      const { images } = this.details;
      const next = images[images.findIndex(({ row }) => row === this.row) + by];
      if (next) return this.open(next.row, { among: true });
      if (!grouped) return;
    }
    const from = this.origin;
    const [{ row }] = await this.wire.ask({ kind: "find", row: from, step: by });
    if (row >= 0 && this.origin === from && this.dialog.open) await this.open(row);
  }

  key(event) {
    event.stopPropagation();
    const { target, key } = event;
    if (key === " " && !target.matches("input, summary, button")) this.toggle();
    else if (key.startsWith("Arrow") && !(target === this.side && key !== "ArrowLeft" && key !== "ArrowRight")) this.move(key);
    else return;
    event.preventDefault();
  }

  closed() {
    const left = this.row;
    this.row = this.details = null;
    super.closed();
    this.strip.replaceChildren();
    this.wanted = [];
    this.onWant();
    this.onClose(left);
  }

  close() {
    this.row = null;
    this.free();
  }
}
