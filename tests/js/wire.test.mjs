import assert from "node:assert/strict";
import test from "node:test";
import { part } from "./parts.mjs";

const { Pictures, Wire } = await part("wire.js");

/** A model that notes what it is told; `answer` lets the kernel say something. */
class Model {
  sent = [];
  heard = new Set();
  on(_, act) {
    this.heard.add(act);
  }
  off(_, act) {
    this.heard.delete(act);
  }
  send(content) {
    this.sent.push(content);
  }
  answer(content, buffers) {
    for (const act of [...this.heard]) act(content, buffers);
  }
  get last() {
    return this.sent.at(-1);
  }
}

const settle = () => new Promise((resolve) => setImmediate(resolve));
const bytes = (text) => new DataView(new TextEncoder().encode(String(text)).buffer);
const read = ({ url }) => atob(url.split("data:image/jpeg;base64,")[1]);

function wired(t, onStall = () => {}) {
  const model = new Model();
  const wire = new Wire(model, onStall);
  t.after(() => wire.close());
  return { model, wire };
}

test("each request gets its own answer, in whatever order they come", async (t) => {
  const { model, wire } = wired(t);
  const [one, two] = [wire.ask({ kind: "rows", first: 0 }), wire.ask({ kind: "find", row: 1 })];
  assert.deepEqual(model.sent.map(({ kind }) => kind), ["rows", "find"]);
  const [first, second] = model.sent.map(({ id }) => id);
  assert.notEqual(first, second);
  model.answer({ id: second, row: 7 });
  model.answer({ id: first, rows: [] }, [bytes("x")]);
  assert.equal((await two)[0].row, 7);
  assert.deepEqual((await two)[1], []);
  assert.equal((await one)[1].length, 1);
  assert.equal(wire.waiting.size, 0);
});

test("what cannot be sent is told at once, and nobody waits for it", async (t) => {
  const told = [];
  const { model, wire } = wired(t, (stalled) => told.push(stalled));
  model.send = () => {
    throw new Error("Cannot send");
  };
  await assert.rejects(wire.ask({ kind: "case" }), { unsent: true });
  assert.deepEqual(told, [true]);
  assert.equal(wire.waiting.size, 0);
});

test("an error of the kernel rejects the request that it is about", async (t) => {
  const { model, wire } = wired(t);
  const [bad, good] = [wire.ask({ kind: "image" }), wire.ask({ kind: "image" })];
  model.answer({ id: model.sent[0].id, error: "TypeError: no" });
  model.answer({ id: model.sent[1].id });
  await assert.rejects(bad, /TypeError: no/);
  await good;
});

test("what nobody asked for is not heard", async (t) => {
  const { model, wire } = wired(t);
  const asked = wire.ask({ kind: "rows" });
  model.answer({ id: "another view's" });
  model.answer(undefined);
  model.answer({});
  model.answer({ id: model.last.id, n: 1 });
  model.answer({ id: model.last.id, n: 2 });
  assert.equal((await asked)[0].n, 1);
});

test("two views of one widget do not take each other's answers", async (t) => {
  const model = new Model();
  const wires = [new Wire(model, () => {}), new Wire(model, () => {})];
  t.after(() => wires.forEach((wire) => wire.close()));
  const asked = wires.map((wire) => wire.ask({ kind: "rows" }));
  assert.notEqual(model.sent[0].id, model.sent[1].id);
  model.answer({ id: model.sent[1].id, whose: "second" });
  model.answer({ id: model.sent[0].id, whose: "first" });
  assert.deepEqual((await Promise.all(asked)).map(([{ whose }]) => whose), ["first", "second"]);
});

test("it is told when the kernel keeps us waiting, and when it answers again", async (t) => {
  const timers = [];
  t.mock.method(globalThis, "setTimeout", (act) => timers.push(act) - 1);
  t.mock.method(globalThis, "clearTimeout", (n) => (timers[n] = null));
  const said = [];
  const { model, wire } = wired(t, (stalled) => said.push(stalled));
  const asked = wire.ask({ kind: "rows" });
  timers[0]();
  assert.deepEqual(said, [true]);
  model.answer({ id: model.last.id });
  await asked;
  assert.deepEqual(said, [true, false]);
  assert.equal(timers[0], null);
});

test("after closing nothing is heard and no timer stays", async () => {
  const model = new Model();
  const wire = new Wire(model, () => {});
  let heard = false;
  wire.ask({ kind: "rows" }).then(() => (heard = true));
  wire.close();
  assert.equal(model.heard.size, 0);
  model.answer({ id: model.last.id });
  await settle();
  assert.equal(heard, false); // and Node would not come to an end if the timer ran
});

function pictured(t) {
  const { model, wire } = wired(t);
  const came = [];
  const failed = [];
  const pictures = new Pictures(wire, { onArrival: (rows) => came.push(rows), onError: (error) => void failed.push(error.message) });
  const reply = (rows, problems = [], { later = [], picture = bytes } = {}) =>
    model.answer({ id: model.last.id, rows, problems, later }, rows.map(picture));
  return { model, pictures, came, failed, reply };
}

test("pictures and reasons arrive by row", async (t) => {
  const { model, pictures, came, reply } = pictured(t);
  pictures.want([], [3, 1, 2]);
  assert.deepEqual(model.last.rows, [3, 1, 2]);
  assert.equal(model.last.kind, "thumbnails");
  reply([3, 2], [[1, "the file is empty"]]);
  await settle();
  assert.equal(read(pictures.get(3)), "3");
  assert.deepEqual(pictures.get(1), { problem: "the file is empty" });
  assert.equal(pictures.get(9), undefined);
  assert.deepEqual(came, [[3, 2, 1]]);
  assert.equal(model.sent.length, 1);
});

test("one request at a time, and always for what is wanted now", async (t) => {
  const { model, pictures, reply } = pictured(t);
  pictures.want([], [0, 1]);
  pictures.want([], [10, 11]);
  pictures.want([], [1, 20]);
  assert.equal(model.sent.length, 1);
  reply([0, 1]);
  await settle();
  assert.equal(model.sent.length, 2);
  assert.deepEqual(model.last.rows, [20]);
  reply([20]);
  await settle();
  assert.equal(model.sent.length, 2);
});

test("what takes longer is asked for again", async (t) => {
  const { model, pictures, reply } = pictured(t);
  pictures.want([], [1, 2]);
  reply([1], [], { later: [2] });
  await settle();
  assert.deepEqual(model.last.rows, [2]);
});

test("many are asked for in parts, the most urgent first", async (t) => {
  const { model, pictures, reply } = pictured(t);
  const rows = Array.from({ length: 600 }, (_, n) => 1000 - n);
  pictures.want([], rows);
  const asked = [];
  for (let n = 0; n < 10 && asked.length < rows.length; n += 1) {
    assert.ok(model.last.rows.length < 600);
    asked.push(...model.last.rows);
    reply(model.last.rows);
    await settle();
  }
  assert.deepEqual(asked, rows);
});

test("what is in view comes before what is only wanted", async (t) => {
  const { model, pictures, reply } = pictured(t);
  pictures.want([5], [1, 2, 5]);
  assert.deepEqual(model.last.rows, [5]);
  reply([5]);
  await settle();
  assert.deepEqual(model.last.rows, [1, 2]);
});

test("a picture is the bytes that came, wherever they lie in their buffer", async (t) => {
  const { model, pictures, reply } = pictured(t);
  const whole = Uint8Array.from({ length: 100_000 }, (_, n) => n % 256);
  pictures.want([], [1]);
  reply([1], [], { picture: () => new DataView(whole.buffer, 7, 90_001) });
  await settle();
  const text = read(pictures.get(1));
  assert.equal(text.length, 90_001);
  for (const n of [0, 8191, 8192, 50_000, 90_000]) assert.equal(text.charCodeAt(n), (n + 7) % 256);
  assert.equal(model.sent.length, 1);
});

const LARGE = new DataView(new ArrayBuffer(150_000));

test("pictures that nobody looked at for long are let go, never those that are wanted", async (t) => {
  const { model, pictures, reply } = pictured(t);
  for (let start = 0; start < 400; start += 20) {
    pictures.want([], Array.from({ length: 20 }, (_, n) => start + n));
    reply(model.last.rows, [], { picture: () => LARGE });
    await settle();
    assert.ok(pictures.get(0), "it was looked at each time");
    assert.ok(pictures.wanted.every((row) => pictures.get(row)));
  }
  assert.ok(pictures.kept.size < 380, `${pictures.kept.size}`);
  assert.equal(pictures.get(40), undefined);
  const characters = [...pictures.kept.values()].reduce((sum, { url }) => sum + url.length, 0);
  assert.equal(pictures.characters, characters);
});

test("however many are wanted, all of them are kept, and asked for once", async (t) => {
  const { model, pictures, reply } = pictured(t);
  const rows = Array.from({ length: 300 }, (_, n) => n);
  pictures.want([], rows);
  let asked = 0;
  for (let n = 0; n < 90 && asked < rows.length; n += 1) {
    asked += model.last.rows.length;
    reply(model.last.rows, [], { picture: () => LARGE });
    await settle();
  }
  const { length } = model.sent;
  await settle();
  assert.equal(model.sent.length, length);
  assert.ok(rows.every((row) => pictures.get(row)));
});

test("after a failure it asks again when something is wanted", async (t) => {
  const { model, pictures, failed, reply } = pictured(t);
  pictures.want([], [1]);
  model.answer({ id: model.last.id, error: "busy" });
  await settle();
  assert.equal(model.sent.length, 1);
  assert.deepEqual(failed, ["busy"]);
  pictures.want([], [1]);
  assert.equal(model.sent.length, 2);
  reply([1]);
  await settle();
  assert.ok(pictures.get(1).url);
});

test("clearing and closing let every picture go", async (t) => {
  const { model, pictures, reply } = pictured(t);
  pictures.want([], [1, 2]);
  reply([1, 2]);
  await settle();
  pictures.clear();
  assert.equal(pictures.get(1), undefined);
  assert.equal(pictures.characters, 0);
  pictures.close();
  pictures.want([], [5]);
  assert.equal(model.sent.length, 1);
});

test("pictures of the size before, that come in after clearing, are not kept", async (t) => {
  const { model, pictures, reply } = pictured(t);
  pictures.want([], [1]);
  pictures.clear();
  reply([1]);
  await settle();
  assert.equal(pictures.get(1), undefined);
  assert.deepEqual(model.last.rows, [1]);
  assert.equal(model.sent.length, 2);
});
