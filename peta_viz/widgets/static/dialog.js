// A dialog over everything: one picture, large, beside what there is to say of it.
import { make } from "./dom.js";
import { thicken } from "./items.js";

/** Those who extend it have `step(by)`, `key(event)` and, if they keep more, `closed()`. */
export class LargePicture {
  /** `thing` is what it calls a picture; `below` stands under picture and side. */
  constructor(root, thing, ...below) {
    this.url = null;
    this.title = make("h2", { class: "pv-large-title" });
    this.picture = make("div", { class: "pv-large-picture" });
    this.side = make("div", { class: "pv-large-side", tabindex: "0", role: "group", "aria-label": "labels" });
    const button = (text, label, onclick) => make("button", { text, class: "pv-button", type: "button", title: label, "aria-label": label, onclick });
    this.dialog = make(
      "dialog",
      { class: "pv-large", "aria-label": `enlarged ${thing}`, tabindex: "-1", onkeydown: (event) => this.key(event) },
      make(
        "header",
        {},
        this.title,
        button("‹", `previous ${thing} (←)`, () => this.step(-1)),
        button("›", `next ${thing} (→)`, () => this.step(1)),
        button("✕", "close (Esc)", () => this.dialog.close()),
      ),
      make("div", { class: "pv-large-body" }, this.picture, this.side),
      ...below,
    );
    this.dialog.addEventListener("close", () => this.closed());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    root.append(this.dialog);
  }

  raise() {
    if (this.dialog.open) return;
    this.dialog.showModal();
    this.dialog.focus();
  }

  /** What there is until the large picture comes. */
  preview(url, alt) {
    this.picture.replaceChildren(...(url ? [this.image(url, alt)] : []));
  }

  show(bytes, alt) {
    this.free();
    this.url = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
    this.picture.replaceChildren(this.image(this.url, alt));
  }

  image(src, alt) {
    return make("img", { src, alt, onload: (event) => thicken(event.target) });
  }

  say(...words) {
    this.free();
    this.picture.replaceChildren(make("p", { class: "pv-missing" }, ...words));
  }

  /** Let go of the large picture. */
  free() {
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
  }

  closed() {
    this.free();
    for (const part of [this.title, this.picture, this.side]) part.replaceChildren();
  }
}
