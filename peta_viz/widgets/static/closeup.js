// One picture of the component, large, beside what its image has of each label.
import { make, said } from "./dom.js";
import { thicken } from "./items.js";

const SIGNS = { y: ["✓", "true", "yes"], n: ["–", "false", "no"], "?": ["?", "unknown", "not known"] };

/** A dialog over everything; `images()` are those of the component, `labels(place)` what one has. */
export class Closeup {
  constructor(root, { wire, pictures, images, labels }) {
    Object.assign(this, { wire, pictures, images, labels, url: null });
    this.title = make("h2", { class: "pv-large-title" });
    this.picture = make("div", { class: "pv-large-picture" });
    this.side = make("div", { class: "pv-large-side", tabindex: "0", role: "group", "aria-label": "labels" });
    const button = (text, label, onclick) => make("button", { text, class: "pv-button", type: "button", title: label, "aria-label": label, onclick });
    this.dialog = make(
      "dialog",
      { class: "pv-large", "aria-label": "enlarged picture", tabindex: "-1", onkeydown: (event) => this.key(event) },
      make(
        "header",
        {},
        this.title,
        button("‹", "previous picture (←)", () => this.move(-1)),
        button("›", "next picture (→)", () => this.move(1)),
        button("✕", "close (Esc)", () => this.dialog.close()),
      ),
      make("div", { class: "pv-large-body" }, this.picture, this.side),
    );
    this.dialog.addEventListener("close", () => this.closed());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    root.append(this.dialog);
  }

  async open(place) {
    const image = this.images()[place];
    if (!image) return;
    this.place = place;
    if (!this.dialog.open) {
      this.dialog.showModal();
      this.dialog.focus();
    }
    this.title.replaceChildren(`picture ${place + 1} of ${this.images().length}`, make("small", {}, said(image.id)));
    this.side.replaceChildren(make("ul", { class: "pv-closeup" }, ...this.labels(place).map((label) => this.label(...label))));
    const small = this.pictures.get(image.row)?.url;
    this.picture.replaceChildren(...(small ? [this.image(small)] : []));
    const here = () => this.dialog.open && this.place === place;
    const answer = await this.wire.ask({ kind: "image", row: image.row }).catch((error) => here() && this.say(error.message));
    if (!answer || !here()) return; // another one was asked for meanwhile
    const [{ problem }, [bytes]] = answer;
    if (!bytes) return this.say(problem);
    this.free();
    this.url = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
    this.picture.replaceChildren(this.image(this.url));
    this.dialog.dataset.row = String(image.row);
  }

  image(src) {
    return make("img", { src, alt: `picture ${this.place + 1}`, onload: (event) => thicken(event.target) });
  }

  say(words) {
    this.picture.replaceChildren(make("p", { class: "pv-missing" }, "This picture cannot be shown: ", said(words)));
  }

  label(name, state, contested) {
    const [sign, kind, words] = SIGNS[state];
    return make(
      "li",
      { class: `pv-state-${kind}`, "data-contested": contested },
      make("span", { class: "pv-mark", text: sign, role: "img", "aria-label": words, title: words }),
      said(name),
    );
  }

  move(by) {
    this.open(this.place + by);
  }

  key(event) {
    event.stopPropagation();
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") this.move(event.key === "ArrowRight" ? 1 : -1);
    else if (event.key.toLowerCase() === "o") this.dialog.close();
    else return;
    event.preventDefault();
  }

  /** Let go of the large picture. */
  free() {
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
  }

  closed() {
    this.free();
    delete this.dialog.dataset.row;
    for (const part of [this.title, this.picture, this.side]) part.replaceChildren();
  }
}
