// One image, large, with all its labels and the other images of its component.
import { chip, make, said } from "./dom.js";

const STRIP_PX = 72;

/** A dialog over everything; `source` offers ask(), pictures and onClose(row). */
export class Enlarged {
  constructor(root, { wire, pictures, select, onClose }) {
    Object.assign(this, { wire, pictures, select, onClose, row: null, url: null });
    this.title = make("h2", { class: "pv-large-title" });
    this.picture = make("div", { class: "pv-large-picture" });
    this.side = make("div", { class: "pv-large-side", tabindex: "0", "aria-label": "labels" });
    this.strip = make("div", { class: "pv-large-strip", role: "group", "aria-label": "the component's images" });
    const button = (text, label, onclick) =>
      make("button", { text, class: "pv-button", type: "button", title: label, "aria-label": label, onclick });
    this.dialog = make(
      "dialog",
      { class: "pv-large", "aria-label": "enlarged image", onkeydown: (event) => this.key(event) },
      make(
        "header",
        {},
        this.title,
        button("‹", "previous image (←)", () => this.move(-1)),
        button("›", "next image (→)", () => this.move(1)),
        button("✕", "close (Esc)", () => this.dialog.close()),
      ),
      make("div", { class: "pv-large-body" }, this.picture, this.side),
      this.strip,
    );
    this.dialog.addEventListener("close", () => this.closed());
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
    root.append(this.dialog);
  }

  async open(row) {
    this.row = row;
    if (!this.dialog.open) this.dialog.showModal();
    const [content, buffers] = await this.wire.ask({ kind: "image", row });
    if (this.row !== row || !this.dialog.open) return; // another was asked for meanwhile
    this.details = content.details;
    this.show(content, buffers[0]);
  }

  show({ details, problem }, bytes) {
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = bytes ? URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" })) : null;
    this.picture.replaceChildren(
      this.url
        ? make("img", { src: this.url, alt: details.id })
        : make("p", { class: "pv-missing" }, "This image cannot be shown: ", said(problem)),
    );
    const place = details.component ? `component ${details.component}, ${details.position + 1} of ${details.size}` : "";
    this.title.replaceChildren(said(details.id), make("small", { text: place }));
    this.side.replaceChildren(...this.about(details));
    this.side.scrollTop = 0;
    this.fill(details);
    this.dialog.dataset.row = details.row;
  }

  about(details) {
    const selected = make("input", {
      type: "checkbox",
      checked: details.selected,
      onchange: () => this.toggle(),
    });
    const parts = [make("label", { class: "pv-large-select" }, selected, " selected (Space)")];
    this.selected = selected;
    if (details.note) parts.push(make("p", { class: "pv-note" }, said(details.note)));
    if (details.flags.length)
      parts.push(make("p", {}, ...details.flags.map((flag) => make("span", { class: "pv-flag" }, said(flag)))));
    for (const [head, labels] of details.heads) {
      // What this image carries, what is not known of it, and what others of its component carry.
      const mentioned = labels.filter(([, state, carried]) => state !== false || carried > 0);
      if (!mentioned.length) continue;
      const list = make("ul", {}, ...mentioned.map((label) => this.label(label)));
      parts.push(make("section", {}, make("h3", {}, said(head || "other labels")), list));
    }
    const absent = details.heads.flatMap(([, labels]) => labels).filter(([, state, carried]) => state === false && !carried);
    if (absent.length)
      parts.push(
        make(
          "details",
          {},
          make("summary", { text: `${absent.length} labels that no image here carries` }),
          make("p", {}, ...absent.flatMap(([name]) => [said(name), " · "]).slice(0, -1)),
        ),
      );
    const facts = details.facts.flatMap(([name, value]) => [make("dt", {}, said(name)), make("dd", {}, said(value))]);
    parts.push(make("dl", {}, make("dt", { text: "file" }), make("dd", {}, said(details.path)), ...facts));
    return parts;
  }

  label([name, state, carried, known]) {
    const words = state === null ? "not known" : state ? "carried" : "not carried";
    const mark = state === null ? "?" : state ? "✓" : "–";
    return make(
      "li",
      { class: `pv-state-${state === null ? "unknown" : state}` },
      make("span", { class: "pv-mark", text: mark, role: "img", "aria-label": words, title: words }),
      chip([name, carried, known]),
    );
  }

  fill(details) {
    const frames = details.images.map((image) => {
      const picture = this.pictures.get(image.row);
      const held = details.weakest.includes(image.row);
      return make(
        "button",
        {
          type: "button",
          class: "pv-large-thumb",
          "aria-label": `${image.id}${held ? ", an end of the weakest link" : ""}`,
          "aria-current": image.row === details.row ? "true" : undefined,
          title: held ? `${image.id}: an end of the weakest link` : image.id,
          "data-row": String(image.row),
          "data-weakest": held ? "true" : undefined,
          style: `width: ${Math.max(16, Math.round(image.aspect * STRIP_PX))}px; height: ${STRIP_PX}px`,
          onclick: () => this.open(image.row),
        },
        picture?.url ? make("img", { src: picture.url, alt: "" }) : null,
      );
    });
    const more = details.size - details.images.length;
    const walk = make("span", { class: "pv-figure", text: `${more} more: walk with → and ←` });
    this.strip.replaceChildren(...frames, ...(more > 0 ? [walk] : []));
    this.strip.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
    this.onWant(details.images.map((image) => image.row));
  }

  /** A thumbnail came in. */
  arrived(row) {
    const frame = this.strip.querySelector(`[data-row="${row}"]`);
    const picture = frame && this.pictures.get(row);
    if (picture?.url && !frame.firstChild) frame.append(make("img", { src: picture.url, alt: "" }));
  }

  async toggle() {
    await this.select({ how: "toggle", row: this.row });
    this.details.selected = !this.details.selected;
    this.selected.checked = this.details.selected;
  }

  async move(by) {
    if (!this.details) return;
    const { images, position, first } = this.details;
    const next = images[position - first + by];
    if (next) await this.open(next.row);
    else await this.jump(by);
  }

  /** To the next component, or the previous one. */
  async jump(by) {
    if (this.row === null) return;
    const [{ row }] = await this.wire.ask({ kind: "find", row: this.row, step: by });
    if (row >= 0) await this.open(row);
  }

  key(event) {
    const moves = {
      ArrowRight: () => this.move(1),
      ArrowLeft: () => this.move(-1),
      ArrowDown: () => this.jump(1),
      ArrowUp: () => this.jump(-1),
      " ": () => this.toggle(),
    };
    event.stopPropagation();
    if (event.target === this.side && event.key.startsWith("Arrow") && event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const act = event.target.matches("input, summary") && event.key === " " ? null : moves[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  closed() {
    const row = this.row;
    this.row = null;
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
    this.picture.replaceChildren();
    this.onWant([]);
    this.onClose(row);
  }

  onWant() {}
}
