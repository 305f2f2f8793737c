// What may be done to a component, and by which keys.
import { make } from "./dom.js";

/** Buttons in their order: name, text, keys (the first one is shown), words; `mark` sets a mark. */
export const BUTTONS = [
  { name: "accept", text: "Accept majority", keys: ["Enter", "a"], words: "give all images what most of them carry, and go on" },
  { name: "head", text: "This head", keys: ["h"], words: "give all images what most of them carry, of the head that the keys are at" },
  { name: "copy", text: "Like this one", keys: ["l"], words: "give all images what the chosen one carries, and go on" },
  { name: "split", text: "Different things", keys: ["p"], words: "split off the chosen images, or put a whole part back; without any, choose what seems to be something else: what hangs on the weakest link, the lowest similarity that holds the component together" },
  { name: "drop", text: "Drop", keys: ["d"], words: "take the chosen images out, or back in" },
  { name: "good", text: "Good", keys: ["g"], mark: "good", words: "the labels are right as they are; go on" },
  { name: "bad", text: "Bad", keys: ["b"], mark: "bad", words: "of no use; go on" },
  { name: "unsure", text: "Unsure", keys: ["u"], mark: "unsure", words: "it cannot be told; go on" },
  { name: "label error", text: "Label error", keys: ["e"], mark: "label error", words: "mark as an error of the labels" },
  { name: "model mistake", text: "Model mistake", keys: ["m"], mark: "model mistake", words: "mark as a mistake of the model" },
  { name: "note", text: "Note", keys: ["t"], words: "write a note" },
];

/** Buttons that lead through the queue and the acts. */
export const WAYS = [
  { name: "back", text: "Back", keys: ["ArrowLeft"], words: "the component before" },
  { name: "skip", text: "Skip", keys: ["ArrowRight", "s"], words: "the next component; this one stays open" },
  { name: "undo", text: "Undo", keys: ["z"], words: "take back what you did last" },
  { name: "redo", text: "Redo", keys: ["Shift+z"], words: "do it again" },
];

/** What chooses pictures. */
export const CHOICES = [
  { name: "all", text: "All", keys: ["Ctrl+A"], words: "choose all pictures that are not dropped" },
  { name: "rest", text: "The rest", keys: ["i"], words: "choose those that are not chosen, in place of those that are" },
  { name: "with", text: "Those with it", keys: ["w"], words: "choose those that say yes to the label that the keys are at" },
  { name: "none", text: "None", keys: ["Esc"], words: "choose no picture" },
];

const SHOWN = { ArrowLeft: "←", ArrowRight: "→", Enter: "↵", "Shift+z": "⇧z" };
const SET = { y: "yes", n: "no", 0: "unknown" };
const OTHERS = [
  ["1 … 9", "choose a picture, or let it go; Shift+click up to there"],
  ["o", "or a double click: the picture large; ← → the next one, Esc closes"],
  ["↑ ↓", "move through the labels"],
  ["y n 0", "the label is: yes, no, not known; of the chosen pictures, or of all"],
  ["f", "Fix: give the label that the keys are at what is suggested, where it is likely wrong; at any other label: go to the first one that is"],
  ["/", "any other label"],
  ["?", "show or hide these keys, as Esc does"],
];

for (const button of [...BUTTONS, ...WAYS, ...CHOICES]) button.shown = button.keys.map((key) => SHOWN[key] ?? key);

/** The list of keys, hidden until it is asked for. */
export function keysHelp(id) {
  const rows = [...[...BUTTONS, ...WAYS, ...CHOICES].map(({ shown, text, words }) => [shown.join(" or "), `${text}: ${words}`]), ...OTHERS];
  const list = rows.map(([keys, what]) => make("div", {}, make("dt", { text: keys }), " ", make("dd", { text: what }), " "));
  return make("div", { class: "pv-keys", id, hidden: true }, make("dl", { class: "pv-help" }, ...list));
}

/** What a key means: {deed}, {label: ±1}, {image: place}, {set: value}, {choose: name}, {fix}, {find}, {large}, {help}, or nothing. */
export function meaning({ key: pressed, ctrlKey, metaKey, altKey, shiftKey }) {
  const key = pressed.length === 1 ? pressed.toLowerCase() : pressed; // whatever Caps Lock says
  if (altKey) return null;
  if (key === "z") return { deed: shiftKey ? "redo" : "undo" };
  if (ctrlKey || metaKey) return { y: { deed: "redo" }, a: { choose: "all" } }[key] ?? null;
  if (shiftKey && key === "Enter") return null; // which runs a cell
  const button = [...BUTTONS, ...WAYS].find(({ keys }) => keys.includes(key));
  if (button) return { deed: button.name };
  if (key >= "1" && key <= "9" && key.length === 1) return { image: Number(key) - 1 };
  if (key === "ArrowUp" || key === "ArrowDown") return { label: key === "ArrowDown" ? 1 : -1 };
  if (key in SET) return { set: SET[key] };
  const choice = { i: "rest", w: "with", Escape: "none" }[key];
  if (choice) return { choose: choice };
  return { f: { fix: true }, "/": { find: true }, "?": { help: true }, o: { large: true } }[key] ?? null;
}
