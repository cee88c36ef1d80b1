"use strict";
// Cutouts, cut from the sheets of thumbnails when they come into view.

(() => {
  const { element } = LSBG;
  const SIDE = 64;
  const sheets = new Map();

  function sheet(number) {
    if (!sheets.has(number)) {
      const image = new Image();
      image.src = `thumbnails/${number}.jpg`;
      sheets.set(number, image.decode().then(() => image));
    }
    return sheets.get(number);
  }

  async function draw(canvas, i) {
    const perRow = LSBG.run.sheet, place = i % perRow ** 2;
    const image = await sheet(Math.floor(i / perRow ** 2));
    const left = (place % perRow) * SIDE, top = Math.floor(place / perRow) * SIDE;
    canvas.getContext("2d").drawImage(image, left, top, SIDE, SIDE, 0, 0, SIDE, SIDE);
    canvas.classList.add("drawn");
  }

  const pending = new Map();
  const observer = new IntersectionObserver((entries) => {
    const shown = entries.filter((entry) => entry.isIntersecting).map((entry) => entry.target);
    const drawn = shown.map((canvas) => {
      observer.unobserve(canvas);
      const i = pending.get(canvas);
      pending.delete(canvas);
      return draw(canvas, i);
    });
    if (drawn.length) Promise.all(drawn).then(markFirst, () => {});
  }, { rootMargin: "300px" });

  function markFirst() {
    if (performance.getEntriesByName("lsbg-first-thumbnails").length) return;
    requestAnimationFrame(() => setTimeout(() => performance.mark("lsbg-first-thumbnails")));
  }

  // A cutout, or the place of one that is missing.
  // `alone`: with a text of its own, and drawn at once; `now`: drawn at once.
  LSBG.picture = (i, { alone = false, now = alone } = {}) => {
    const box = element("span", { className: "picture" });
    if (alone) {
      box.setAttribute("role", "img");
      box.setAttribute("aria-label", LSBG.run.have[i] ? "Cutout of the candidate" : "No image");
    }
    if (!LSBG.run.have[i]) {
      box.classList.add("missing");
      box.append(element("span", { textContent: "no image", "aria-hidden": "true" }));
      return box;
    }
    const canvas = element("canvas", { width: SIDE, height: SIDE, className: "sky" });
    box.append(canvas);
    if (now) draw(canvas, i).catch(() => {});
    else { pending.set(canvas, i); observer.observe(canvas); }
    return box;
  };

  LSBG.forgetPictures = () => { observer.disconnect(); pending.clear(); };

  LSBG.prefetch = (i) => {
    if (i < LSBG.run.size && LSBG.run.have[i]) {
      sheet(Math.floor(i / LSBG.run.sheet ** 2)).catch(() => {});
    }
  };
})();
