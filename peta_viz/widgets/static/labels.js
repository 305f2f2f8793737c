// The labels of a component: contested ones by head, what all agree about, and any other.
import { make, said } from "./dom.js";

const VALUES = [["yes", "y"], ["no", "n"], ["unknown", "?"]];

/** `onSet(label, value)`, `onHead(head)` are acts; `onAsk(label)` brings a label that is not shown. */
export class Labels {
  constructor(facts, { onCurrent, onSet, onHead, onAsk, onError, onFound, toRoot }) {
    Object.assign(this, { onCurrent, onSet, onHead, onAsk, onError, onFound, toRoot, extra: [], shown: [] });
    this.heads = new Map(facts.heads.flatMap(([head, kind, labels]) => labels.map((label) => [label, { head, kind }])));
    this.list = make("div", { class: "pv-labels-list" });
    const id = `pv-${Math.random().toString(36).slice(2)}`;
    this.search = make("input", { class: "pv-query", type: "text", list: id, placeholder: "any other label (/)", "aria-label": "any other label", autocomplete: "off", onkeydown: (event) => this.searchKey(event), onchange: () => this.take() });
    const names = make("datalist", { id }, ...facts.labels.map((name) => make("option", { value: name })));
    this.element = make("div", { class: "pv-panel" }, this.list, this.search, names);
    this.names = new Set(facts.labels);
  }

  /** The label that the keys are at. */
  get current() {
    return this.shown[this.at]?.[0] ?? "";
  }

  get head() {
    return this.current ? (this.heads.get(this.current)?.head ?? this.current) : "";
  }

  states() {
    return this.shown[this.at]?.[3] ?? "";
  }

  /** What one image has of each label: [name, state, contested]. */
  of(place) {
    return this.shown.map(([name, , contested, states]) => [name, states[place], contested]);
  }

  draw({ labels, images }, moved) {
    const before = moved ? "" : this.current;
    this.kept = images.map((image) => image.kept);
    if (moved) this.extra = [];
    if (moved) this.search.value = "";
    const there = new Set(labels.map(([name]) => name));
    this.agreed = images.some(({ group }) => group > 0) ? "agreed within each part" : "all agree";
    this.extra = this.extra.filter(([name]) => !there.has(name));
    this.shown = [...labels, ...this.extra];
    this.at = Math.max(0, this.shown.findIndex(([name]) => name === before));
    this.render();
  }

  render() {
    const header = this.header();
    const groups = new Map();
    for (const [place, label] of this.shown.entries()) {
      const [name, disputed] = label;
      const group = disputed ? (this.heads.get(name)?.head ?? name) : this.extra.includes(label) ? "other labels" : this.agreed;
      if (!groups.has(group)) groups.set(group, { disputed, rows: [] });
      groups.get(group).rows.push(this.row(label, place));
    }
    this.list.replaceChildren(...header);
    if (!this.shown.some(([, , contested]) => contested)) this.list.append(make("p", { class: "pv-agree", text: "No label is contested." }));
    for (const [name, { disputed, rows }] of groups) {
      const settle = disputed ? make("button", { type: "button", class: "pv-button pv-settle", text: "majority", title: "give all images what most of them carry, of this head (h)", onclick: () => this.onHead(name) }) : null;
      this.list.append(make("section", { class: disputed ? "pv-contest" : "" }, make("h4", {}, said(name.replaceAll("_", " ")), settle), ...rows));
    }
    this.mark();
  }

  /** Names the columns of what the models say, once. */
  header() {
    this.models = [...new Set(this.shown.flatMap(([, , , , guesses]) => guesses.map(([trained]) => trained)))];
    this.list.style.setProperty("--pv-columns", [...this.models.map(() => "40px"), "46px", "62px"].join(" "));
    if (!this.models.length) return [];
    const names = this.models.map((trained) => make("span", { class: "pv-model", title: `what the models trained on ${trained} labels say` }, said(trained)));
    return [make("div", { class: "pv-columns" }, make("span", { class: "pv-model pv-name", text: "models trained on" }), make("span", { class: "pv-numbers" }, ...names))];
  }

  row([name, , contested, states, guesses], place) {
    const guessed = new Map(guesses);
    const kept = [...states].filter((_, number) => this.kept[number]); // what is dropped counts for nothing
    const known = kept.filter((state) => state !== "?").length;
    const carried = kept.filter((state) => state === "y").length;
    const share = known ? (100 * carried) / known : 0;
    const models = this.models.map((trained) => this.guess(trained, guessed.get(trained)));
    return make(
      "div",
      { class: "pv-columns pv-label", "data-label": name, "data-contested": contested, onclick: () => this.go(place) },
      make("span", { class: "pv-name" }, breaking(name)),
      make(
        "span",
        { class: "pv-numbers" },
        ...models,
        make("span", { class: "pv-tally", title: `${carried} of ${known} images`, style: `--pv-share: ${share}%`, text: `${carried}/${known}` }),
        make("span", { class: "pv-set" }, ...VALUES.map(([value, text]) => make("button", { type: "button", class: "pv-button", text, title: `${name}: ${value} for the chosen images, or for all`, "aria-label": `${name}: ${value}`, onclick: () => this.set(place, value) }))),
      ),
    );
  }

  guess(trained, value) {
    if (value === undefined) return make("span");
    return make("span", { class: "pv-model", title: `${value.toFixed(2)}: probability that the model trained on ${trained} labels gives it`, text: `${Math.round(100 * value)}%` });
  }

  set(place, value) {
    this.go(place);
    this.onSet(this.current, value);
  }

  go(place) {
    this.at = place;
    this.mark();
    this.onCurrent();
  }

  move(by) {
    if (this.shown.length) this.go((this.at + by + this.shown.length) % this.shown.length);
    this.list.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  }

  mark() {
    for (const row of this.list.querySelectorAll(".pv-label")) {
      if (row.dataset.label === this.current) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
  }

  find() {
    this.search.focus();
    this.search.select();
  }

  searchKey(event) {
    event.stopPropagation();
    if (event.key === "Escape") {
      this.search.value = "";
      this.onFound();
    }
    if (event.key !== "Escape" && event.key !== "Enter") return;
    if (this.take()) this.toRoot();
    else this.search.select();
  }

  /** Show the label that was typed; a part of a name that fits one alone will do. Else it stays, to be mended. */
  take() {
    const typed = this.search.value.trim();
    if (!typed) return true;
    const fits = [...this.names].filter((name) => name.toLowerCase().includes(typed.toLowerCase()));
    const name = this.names.has(typed) ? typed : fits.length === 1 ? fits[0] : "";
    if (!name) {
      this.onError(new Error(fits.length ? `${fits.length} labels are called like ${typed}` : `there is no label ${typed}`));
      return false;
    }
    this.search.value = "";
    this.onFound();
    this.show(name);
    return true;
  }

  async show(name) {
    let place = this.shown.findIndex(([shown]) => shown === name);
    if (place < 0) {
      const label = await this.onAsk(name).catch(this.onError);
      if (!label) return;
      this.extra.push(label);
      this.shown.push(label);
      place = this.shown.length - 1;
      this.at = place;
      this.render();
    }
    this.go(place);
    this.list.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  }
}

/** A name that may go on in the next line, before a capital letter if it can. */
function breaking(name) {
  const parts = name.split(/(?<=[a-z0-9_])(?=[A-Z])/);
  return make("bdi", {}, ...parts.flatMap((part, place) => (place ? [make("wbr"), part] : [part])));
}
