// What the page itself sees: which pictures are on screen, and since when. In the page before all else.
(() => {
  const MANY = 1_000;
  const watch = { received: 0, seen: new Set() };
  window.watch = watch;

  // Counted here: to hand every frame to the debugger would slow down those who send much.
  const Plain = window.WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", ({ data }) => (watch.received += data.byteLength ?? data.length));
    }
  };

  const frame = () => new Promise(requestAnimationFrame);
  const there = (picture) => picture.complete && picture.naturalWidth > 0;
  const container = () => document.querySelector(watch.container);
  const pictures = () => container()?.getElementsByTagName("img") ?? [];

  function scroller() {
    const rolls = (e) => /auto|scroll/.test(getComputedStyle(e).overflowY) && e.scrollHeight > e.clientHeight + 1;
    let element = container();
    while (element && !rolls(element)) element = element.parentElement;
    return element ?? document.scrollingElement;
  }

  /** What of the screen the scroller leaves to pictures: {top, bottom}. */
  function opening(element) {
    if (element === document.scrollingElement) return { top: 0, bottom: innerHeight };
    const { top, bottom } = element.getBoundingClientRect();
    return { top: Math.max(0, top), bottom: Math.min(innerHeight, bottom) };
  }

  /** The number of the first picture that reaches below a line; they lie in order, top down. */
  function firstBelow(all, line) {
    let [low, high] = [0, all.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (all[middle].getBoundingClientRect().bottom > line) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  // Our gallery takes pictures out of the page again: there the place among them says nothing.
  const name = (picture, place) => (picture.matches(".pv-picture") ? picture.alt : place);

  /** The pictures on screen, as [name, element]. */
  function inView() {
    const all = pictures();
    const { top, bottom } = opening(scroller());
    const found = [];
    const sorted = all.length > MANY;
    for (let n = sorted ? firstBelow(all, top) : 0; n < all.length; n += 1) {
      const rect = all[n].getBoundingClientRect();
      if (rect.top < bottom && rect.bottom > top) found.push([name(all[n], n), all[n]]);
      else if (sorted && rect.top >= bottom) break;
    }
    return found;
  }

  /** Fail where the cell failed, or where Jupyter says in place of a widget that it has lost it. */
  function check() {
    if (watch.failure) throw new Error(watch.failure);
    if (document.querySelector(".jupyter-widgets-error-widget")) throw new Error("messages were lost");
  }

  /** Resolve in the frame after the one in which all that is on screen was there. */
  watch.settle = async () => {
    for (;;) {
      await frame();
      check();
      const pending = container().closest("[data-pending]")?.dataset.pending ?? "0";
      const found = inView();
      if (pending === "0" && found.length && found.every(([, picture]) => there(picture))) {
        await frame();
        for (const [who] of found) watch.seen.add(who);
        return;
      }
    }
  };

  /** Resolve when the first picture is on screen; what stands above it is scrolled away. */
  watch.first = async () => {
    for (;;) {
      await frame();
      check();
      if (!pictures().length) continue;
      if (inView().some(([, picture]) => there(picture))) return;
      pictures()[0].scrollIntoView({ block: "nearest", behavior: "instant" });
    }
  };

  /** Scroll to a share of the way and return the milliseconds until all is there. */
  watch.jump = async (share) => {
    const element = scroller();
    const { top, bottom } = opening(element);
    const own = element === container();
    const start = own ? 0 : element.scrollTop + container().getBoundingClientRect().top - top;
    const length = own ? element.scrollHeight : container().getBoundingClientRect().height;
    const before = performance.now();
    const room = Math.max(0, length - (bottom - top));
    element.scrollTo({ top: start + share * room, behavior: "instant" });
    await watch.settle();
    return performance.now() - before;
  };

  // To read `src` of pictures that lie inside the page takes minutes.
  watch.sum = () => ({
    received: watch.received,
    seen: watch.seen.size,
    nodes: document.querySelector(watch.root).querySelectorAll("*").length,
    files: [...new Set([...pictures()].filter((one) => one.loading === "lazy" && there(one)).map((one) => one.src))],
  });
})();
