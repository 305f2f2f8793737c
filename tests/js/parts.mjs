// Loads the parts of the front end as they lie there. They are modules whose files end in .js
// without a package.json beside them, which Node 18 would take for CommonJS.
import { readFile } from "node:fs/promises";

const STATIC = new URL("../../peta_viz/widgets/static/", import.meta.url);

export async function part(name) {
  const source = await readFile(new URL(name, STATIC), "utf8");
  if (/^import /m.test(source)) throw new Error(`${name} imports others: it is not pure`);
  return import(`data:text/javascript;base64,${Buffer.from(source).toString("base64")}`);
}

/** Numbers from 0 to 1, the same ones each time. */
export function seeded(seed) {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}
