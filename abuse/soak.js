// In the page before all else: counts object addresses, and goes through the widgets as hands would.
(() => {
  const soak = { addresses: new Set() };
  window.soak = soak;
  const { createObjectURL, revokeObjectURL } = URL;
  URL.createObjectURL = (what) => {
    const address = createObjectURL.call(URL, what);
    soak.addresses.add(address);
    return address;
  };
  URL.revokeObjectURL = (address) => {
    soak.addresses.delete(address);
    revokeObjectURL.call(URL, address);
  };

  const PATIENCE_MS = 60_000;
  const rest = () => new Promise((go) => setTimeout(go));

  /** Wait, not for frames to be painted, but until the page has changed so that it fits. */
  async function until(what, fits) {
    await rest();
    if (fits()) return;
    await new Promise((go, fail) => {
      const late = setTimeout(() => fail(new Error(`${what}: nothing came`)), PATIENCE_MS);
      const watch = new MutationObserver(() => {
        if (!fits()) return;
        clearTimeout(late);
        watch.disconnect();
        go();
      });
      watch.observe(document.body, { attributes: true, childList: true, subtree: true });
    });
  }

  // Seeded, so that every run goes the same ways (xorshift32).
  let seed = 2463534242;
  function chance() {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return (seed >>> 0) / 2 ** 32;
  }

  const one = (selector) => document.querySelector(selector);
  const press = (element, key) => element.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));

  /** Jump to places of the gallery, each until every picture there is shown; the milliseconds of each. */
  soak.jump = async (count, enlargeEvery) => {
    const [root, viewport] = [one(".pv-gallery"), one(".pv-viewport")];
    const times = [];
    for (let n = 1; n <= count; n += 1) {
      const start = performance.now();
      viewport.scrollTop = chance() * (viewport.scrollHeight - viewport.clientHeight);
      viewport.dispatchEvent(new Event("scroll"));
      const shown = () => root.dataset.pending === "0" && Number(root.dataset.loaded) > 0;
      await until("jump", shown);
      times.push(performance.now() - start);
      if (n % enlargeEvery === 0) await enlarge();
    }
    return times;
  };

  async function enlarge() {
    one(".pv-frame").click();
    await until("large picture", () => one(".pv-large[open] .pv-large-picture img"));
    one(".pv-large").close();
    await until("large picture", () => !one(".pv-large[open]"));
  }

  /** Decide: press keys, each until the kernel has stored it; the milliseconds of each. */
  soak.decide = async (keys) => {
    const root = one(".pv-curator");
    const answers = () => Number(root.dataset.answers ?? 0);
    const there = () => root.dataset.pending === "0" && !root.hasAttribute("data-busy");
    const times = [];
    for (const [key, asks] of keys) {
      await until("pictures", () => there() && !root.hasAttribute("data-unseen"));
      const [before, start] = [answers(), performance.now()];
      press(root, key);
      if (!asks) continue;
      await until(`key ${key}`, () => there() && answers() > before);
      times.push(performance.now() - start);
      const problem = one(".pv-problem").textContent;
      if (problem) throw new Error(`key ${key}: ${problem}`);
    }
    return times;
  };
})();
