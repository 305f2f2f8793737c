// The page's side of the stub: a model that asks Python, and what tests look at.
async ([esm, state]) => {
  const model = {
    state, dirty: {}, heard: {}, late: [], silent: false, open: 0,
    get(name) { return this.state[name] },
    set(name, value) { this.state[name] = value; this.dirty[name] = value; this.emit("change:" + name); this.emit("change") },
    save_changes() { const changes = this.dirty; this.dirty = {}; this.tell({ traits: changes }) },
    send(content) { this.tell({ message: content }) },
    on(name, act) { (this.heard[name] ??= []).push(act) },
    off(name, act) { this.heard[name] = (this.heard[name] ?? []).filter((a) => a !== act) },
    emit(name, ...rest) { for (const act of [...(this.heard[name] ?? [])]) act(...rest) },
    // A kernel that is silent answers later, once it is told to speak.
    speak() { this.silent = false; for (const answer of this.late.splice(0)) this.take(answer) },
    async tell(what) {
      this.open += 1;
      const answer = await window.tellPython(JSON.stringify(what));
      if (this.silent) this.late.push(answer);
      else this.take(answer);
      this.open -= 1;
    },
    take({ traits, messages }) {
      const changed = Object.keys(traits).filter((n) => JSON.stringify(traits[n]) !== JSON.stringify(this.state[n]));
      for (const name of changed) this.state[name] = traits[name];
      for (const name of changed) this.emit("change:" + name);
      if (changed.length) this.emit("change");
      for (const [content, buffers] of messages) {
        const views = buffers.map((text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer));
        this.emit("msg:custom", content, views);
      }
    },
  };
  window.model = model;
  const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  const module = await import(url);
  URL.revokeObjectURL(url);
  window.pictures = new Set(); // what the front end holds
  const [hold, free] = [URL.createObjectURL, URL.revokeObjectURL];
  URL.createObjectURL = (blob) => { const at = hold.call(URL, blob); window.pictures.add(at); return at };
  URL.revokeObjectURL = (at) => { window.pictures.delete(at); free.call(URL, at) };
  window.show = async (el) => module.default.render({ model, el });
  window.cleanup = await window.show(document.querySelector("#at"));

  const all = (selector) => [...document.querySelectorAll(selector)];
  const rgba = (text) => {
    const pen = new OffscreenCanvas(1, 1).getContext("2d");
    pen.fillStyle = text;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data];
  };
  window.see = {
    gallery: () => document.querySelector(".pv-gallery").dataset,
    items: () => all(".pv-item").sort((a, b) => a.dataset.item - b.dataset.item),
    places: () => see.items().map((item) => Number(item.dataset.item)),
    frames: () => see.items().flatMap((item) => [...item.querySelectorAll(".pv-frame")]),
    rows: () => see.frames().map((frame) => Number(frame.dataset.row)),
    names: () => see.items().map((item) => item.querySelector("b")?.textContent),
    heights: () => all("img.pv-picture").map((img) => img.naturalHeight),
    right: () => Math.max(...see.frames().map((frame) => frame.getBoundingClientRect().right)),
    scroll(share) {
      const view = document.querySelector(".pv-viewport");
      view.scrollTop = share * view.scrollHeight;
      view.dispatchEvent(new Event("scroll"));
    },
    /** The colours of an element's text and of what lies behind it. */
    colours(element) {
      let back = element;
      while (rgba(getComputedStyle(back).backgroundColor)[3] === 0) back = back.parentElement;
      return [rgba(getComputedStyle(element).color), rgba(getComputedStyle(back).backgroundColor)];
    },
    /** What a picture shows, as one colour. */
    async shown(img) {
      await img.decode();
      const pen = new OffscreenCanvas(1, 1).getContext("2d");
      pen.drawImage(img, 0, 0, 1, 1);
      return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
    },
    /** Width and height of a picture on screen. */
    async size(img) {
      await img.decode();
      if (getComputedStyle(img).objectFit === "fill") return [img.clientWidth, img.clientHeight];
      const scale = Math.min(img.clientWidth / img.naturalWidth, img.clientHeight / img.naturalHeight);
      return [img.naturalWidth * scale, img.naturalHeight * scale];
    },
    /** Controls and pictures without a name for screen readers. */
    nameless: () =>
      all("button, input, select, dialog, img, [role=listbox], [role=region], [role=group]")
        .filter((e) => !(e.ariaLabel || e.textContent.trim() || e.labels?.length || e.hasAttribute("alt")))
        .map((e) => e.outerHTML),
  };
}
