// One picture of the component, large, beside what its image has of each label.
import { LargePicture } from "./dialog.js";
import { make, said } from "./dom.js";

const SIGNS = { y: ["✓", "true", "yes"], n: ["–", "false", "no"], "?": ["?", "unknown", "not known"] };

/** `images()` are those of the component, `labels(place)` what one has. */
export class Closeup extends LargePicture {
  constructor(root, { wire, pictures, images, labels }) {
    super(root, "picture");
    Object.assign(this, { wire, pictures, images, labels });
  }

  async open(place) {
    const image = this.images()[place];
    if (!image) return;
    this.place = place;
    this.raise();
    this.title.replaceChildren(`picture ${place + 1} of ${this.images().length}`, make("small", {}, said(image.id)));
    this.side.replaceChildren(make("ul", { class: "pv-closeup" }, ...this.labels(place).map((label) => this.label(...label))));
    const alt = `picture ${place + 1}`;
    this.preview(this.pictures.get(image.row)?.url, alt);
    const here = () => this.dialog.open && this.place === place;
    const failed = (words) => this.say("This picture cannot be shown: ", said(words));
    const answer = await this.wire.ask({ kind: "image", row: image.row }).catch((error) => here() && failed(error.message));
    if (!answer || !here()) return; // another one was asked for meanwhile
    const [{ problem }, [bytes]] = answer;
    if (!bytes) return failed(problem);
    this.show(bytes, alt);
    this.dialog.dataset.row = String(image.row);
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

  step(by) {
    this.open(this.place + by);
  }

  key(event) {
    event.stopPropagation();
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") this.step(event.key === "ArrowRight" ? 1 : -1);
    else if (event.key.toLowerCase() === "o") this.dialog.close();
    else return;
    event.preventDefault();
  }

  closed() {
    super.closed();
    delete this.dialog.dataset.row;
  }
}
