// The labels of a component: doubted and contested ones by head, what all agree about, and any other.
import { make, said } from "./dom.js";

const VALUES = [["yes", "y"], ["no", "n"], ["unknown", "?"]];
const VALUE_WORDS = { yes: "yes", no: "no", unknown: "not known" };
const NAMED = 6; // pictures, or rows of them; of more it is said how many

/** `onSet(label, value)`, `onHead(head)`, `onFix(label, doubt)` are acts; `onAsk(label)` brings a label that is not shown. */
export class Labels {
  constructor(facts, { onCurrent, onSet, onHead, onFix, onAsk, onError, onFound, toRoot }) {
    Object.assign(this, { onCurrent, onSet, onHead, onFix, onAsk, onError, onFound, toRoot, extra: [], shown: [] });
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

  /** What is open of the doubts about the label that the keys are at, the first one. */
  get doubt() {
    return this.shown[this.at]?.[5].find(isOpen);
  }

  /** The places of the pictures of which that label is doubted. */
  doubted() {
    return new Set((this.shown[this.at]?.[5] ?? []).filter(isOpen).flatMap(([places]) => places));
  }

  /** Go to the first label that is doubted, if any is. */
  toDoubted() {
    const place = this.firstDoubted();
    if (place >= 0) this.go(place);
    this.reveal();
    return place >= 0;
  }

  firstDoubted() {
    return this.shown.findIndex(([, , , , , doubts]) => doubts.some(isOpen));
  }

  /** What one image has of each label: [name, state, contested]. */
  of(place) {
    return this.shown.map(([name, , contested, states]) => [name, states[place], contested]);
  }

  draw({ labels, images, doubted }, moved) {
    const before = moved ? "" : this.current;
    this.kept = images.map((image) => image.kept);
    this.openDoubts = doubted; // labels, also those that are not shown yet
    if (moved) this.extra = [];
    if (moved) this.search.value = "";
    const there = new Set(labels.map(([name]) => name));
    this.agreed = images.some(({ group }) => group > 0) ? "agreed within each part" : "all agree";
    this.extra = this.extra.filter(([name]) => !there.has(name));
    this.shown = [...labels, ...this.extra];
    this.at = Math.max(0, moved ? this.firstDoubted() : this.shown.findIndex(([name]) => name === before));
    this.render();
  }

  render() {
    const header = this.header();
    const groups = new Map();
    for (const [place, label] of this.shown.entries()) {
      const [name, disputed, , , , doubts] = label;
      const decide = disputed || doubts.length > 0;
      const group = decide ? (this.heads.get(name)?.head ?? name) : this.extra.includes(label) ? "other labels" : this.agreed;
      const key = `${decide}/${group}`;
      if (!groups.has(key)) groups.set(key, { group, decide, rows: [], disputed: false });
      groups.get(key).rows.push(this.row(label, place));
      groups.get(key).disputed ||= disputed;
    }
    this.list.replaceChildren(...header);
    if (!this.shown.some(([, , contested]) => contested)) this.list.append(make("p", { class: this.openDoubts ? "pv-figure" : "pv-agree", text: this.calm() }));
    for (const { group, decide, disputed, rows } of groups.values()) {
      const settle = disputed ? make("button", { type: "button", class: "pv-button pv-settle", text: "majority", title: "give all images what most of them carry, of this head (h)", onclick: () => this.onHead(group) }) : null;
      this.list.append(make("section", { class: decide ? "pv-contest" : "" }, make("h4", {}, said(group.replaceAll("_", " ")), settle), ...rows));
    }
    [...this.list.querySelectorAll(".pv-contest")].at(-1)?.append(...this.more());
    this.mark();
  }

  /** What is said where nothing is contested. */
  calm() {
    const count = this.openDoubts;
    return count ? `No label is contested; ${count === 1 ? "one is" : `${count} are`} likely wrong.` : "No label is contested.";
  }

  /** Says how many doubted labels are not shown yet. */
  more() {
    const left = this.openDoubts - this.shown.filter(([, , , , , doubts]) => doubts.some(isOpen)).length;
    return left > 0 ? [make("p", { class: "pv-figure", text: `and ${left} more, which come when these are decided` })] : [];
  }

  /** Names the columns of what the models say, once. */
  header() {
    this.models = [...new Set(this.shown.flatMap(([, , , , guesses]) => guesses.map(([trained]) => trained)))];
    this.list.style.setProperty("--pv-columns", [...this.models.map(() => "40px"), "46px", "62px"].join(" "));
    if (!this.models.length) return [];
    const names = this.models.map((trained) => make("span", { class: "pv-model", title: `what the models trained on ${trained} labels say` }, said(trained)));
    return [make("div", { class: "pv-columns" }, make("span", { class: "pv-model pv-name", text: "models trained on" }), make("span", { class: "pv-numbers" }, ...names))];
  }

  row([name, , contested, states, guesses, doubts], place) {
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
      ...doubts.map((doubt) => this.doubtLine(name, doubt, place, doubt === doubts.find(isOpen))),
    );
  }

  /** Which pictures are likely wrong, how likely, and why, with a button that mends it; or that it is decided. */
  doubtLine(label, doubt, place, first) {
    const [places, value, suggested, least, most, reason, open] = doubt;
    const images = this.which(places);
    if (!open) return make("div", { class: "pv-doubt", "data-decided": true }, make("span", { class: "pv-reason" }, make("span", { class: "pv-by", text: "✓ " }), `${images}: ${VALUE_WORDS[value] ?? "decided"}`));
    const [low, high] = [least, most].map((cent) => Math.min(cent, 99));
    const likely = `${low === high ? "" : `${low}–`}${high}%`;
    const fix = () => {
      this.go(place);
      this.onFix(label, doubt);
    };
    return make(
      "div",
      { class: "pv-doubt" },
      make("span", { class: "pv-doubt-words" }, make("span", {}, `${images}: ${value}, `, make("b", { text: `${likely} likely wrong` }), `, rather ${suggested}`), make("span", { class: "pv-reason" }, said(reason))),
      make("button", { type: "button", class: "pv-button pv-fix", title: `${label}: ${suggested} for ${images}`, "aria-label": `${label}: fix, ${suggested} for ${images}`, onclick: fix }, `Set ${suggested}`, first ? make("kbd", { text: "f" }) : null),
    );
  }

  which(places) {
    const count = this.kept.length;
    if (places.length === 1) return count === 1 ? "this image" : `image ${places[0] + 1}`;
    if (places.length === count) return `all ${count} images`;
    const runs = ranges(places.map((one) => one + 1));
    return runs.length > NAMED ? `${places.length} of ${count} images` : `images ${runs.join(", ")}`;
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
    this.reveal();
  }

  reveal() {
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
    this.reveal();
  }
}

function isOpen(doubt) {
  return doubt[6];
}

/** Rising numbers in few words: 1–3, 7. */
function ranges(numbers) {
  const runs = [];
  for (const number of numbers) {
    if (runs.at(-1)?.[1] === number - 1) runs.at(-1)[1] = number;
    else runs.push([number, number]);
  }
  return runs.map(([first, last]) => (first === last ? `${first}` : first + 1 === last ? `${first}, ${last}` : `${first}–${last}`));
}

/** A name that may go on in the next line, before a capital letter if it can. */
function breaking(name) {
  const parts = name.split(/(?<=[a-z0-9_])(?=[A-Z])/);
  return make("bdi", {}, ...parts.flatMap((part, place) => (place ? [make("wbr"), part] : [part])));
}
