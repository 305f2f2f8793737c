import assert from "node:assert/strict";
import test from "node:test";
import { part } from "./parts.mjs";

const { Entries } = await part("entries.js");

const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Entries of `total` items, of which `view` says what is seen; `pending` are open requests. */
function opened({ total = 1000, most = 3, room } = {}) {
  const state = { version: 1, view: [0, 5], pending: [], came: [], failed: [], pictures: [] };
  const wire = { ask: (message) => new Promise((resolve, reject) => state.pending.push({ message, resolve, reject })) };
  const entries = new Entries({ get: () => state.version }, wire, {
    range: () => ({ first: state.view[0], last: Math.min(total, state.view[1]), most, room }),
    onArrival: (items) => state.came.push(items),
    onPictures: (pictures, buffers) => state.pictures.push([pictures, buffers, state.came.length]),
    onError: (error) => void state.failed.push(error.message),
  });
  state.answer = async ({ version = state.version, word = "", pictures, buffers } = {}) => {
    const { message, resolve } = state.pending.shift();
    const rows = Array.from({ length: message.count }, (_, n) => ({ id: `${message.first + n}${word}` }));
    resolve([{ first: message.first, version, rows, pictures }, buffers]);
    await settle();
    return message;
  };
  return { entries, state };
}

test("what is in view is asked for, and is known by place", async () => {
  const { entries, state } = opened();
  entries.ask();
  const message = await state.answer();
  assert.deepEqual(message, { kind: "rows", first: 0, count: 5, most: 3 });
  assert.equal(entries.get(4).id, "4");
  assert.equal(entries.get(5), undefined);
  assert.deepEqual(state.came, [[0, 1, 2, 3, 4]]);
  assert.equal(state.pending.length, 0);
});

test("with room, pictures come along, and are there before the entries are painted", async () => {
  const { entries, state } = opened({ room: 300 });
  entries.ask();
  const message = await state.answer({ pictures: { rows: [7] }, buffers: ["jpeg"] });
  assert.equal(message.room, 300);
  assert.deepEqual(state.pictures, [[{ rows: [7] }, ["jpeg"], 0]]);
  entries.refresh();
  assert.equal((await state.answer({ word: "!" })).room, undefined);
});

test("only what is not known is asked for", async () => {
  const { entries, state } = opened();
  entries.ask();
  await state.answer();
  state.view = [3, 9];
  entries.ask();
  assert.deepEqual(state.pending[0].message, { kind: "rows", first: 5, count: 4, most: 3 });
  await state.answer();
  entries.ask();
  assert.equal(state.pending.length, 0);
});

test("one request at a time, then one for what came in view meanwhile", async () => {
  const { entries, state } = opened();
  entries.ask();
  for (const first of [100, 300, 700]) {
    state.view = [first, first + 5];
    entries.ask();
  }
  assert.equal(state.pending.length, 1);
  await state.answer();
  assert.equal(state.pending.length, 1);
  assert.equal((await state.answer()).first, 700);
  assert.equal(state.pending.length, 0);
});

test("an answer about an order that is over is not learned", async () => {
  const { entries, state } = opened();
  entries.ask();
  state.version = 2;
  await state.answer({ version: 1 });
  assert.equal(entries.get(0), undefined);
  await state.answer();
  assert.equal(entries.get(0).id, "0");
});

test("what is known stays until newer news of it is there, and only what changed is told", async () => {
  const { entries, state } = opened();
  entries.ask();
  await state.answer();
  entries.refresh();
  assert.equal(entries.get(0).id, "0");
  await state.answer({ word: "!" });
  assert.equal(entries.get(0).id, "0!");
  entries.refresh();
  await state.answer({ word: "!" });
  assert.deepEqual(state.came.at(-1), []);
});

test("nothing is asked for where there is nothing", async () => {
  const { entries, state } = opened({ total: 0 });
  entries.ask();
  entries.refresh();
  assert.equal(state.pending.length, 0);
});

test("a failure is told, and the next wish is asked for again", async () => {
  const { entries, state } = opened();
  entries.ask();
  state.pending.shift().reject(new Error("busy"));
  await settle();
  assert.deepEqual(state.failed, ["busy"]);
  assert.equal(state.pending.length, 0);
  entries.ask();
  await state.answer();
  assert.equal(entries.get(0).id, "0");
});

test("it does not keep what was seen for ever", async () => {
  const { entries, state } = opened({ total: 1e6 });
  for (let first = 0; first < 20_000; first += 100) {
    state.view = [first, first + 100];
    entries.ask();
    await state.answer();
  }
  assert.ok(entries.known.size < 5000);
  assert.equal(entries.get(19_999).id, "19999");
});
