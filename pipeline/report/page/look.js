"use strict";
// How pictures look, the same for all of the page: brightness, stretch, smoothing, band, negative,
// sharp pixels, zoom. Filters of SVG do it, because a page on disk may draw its pictures but not read them.

(() => {
  const $ = (id) => document.getElementById(id);
  const SKY = 32 / 255;  // what the colours make of empty sky
  const STEPS = 64;
  const SIDE = 64;  // pixels of a cutout
  const START = { brightness: "1", softening: "0", smoothing: "0", band: "all", negative: false,
                  sharp: false, zoom: "1" };
  const look = { ...START };

  // asinh(a x) / asinh(a) of what is above the sky; a = 0 leaves it as it is.
  function curve(x) {
    const a = Number(look.softening), gain = Number(look.brightness);
    let y = gain * x;
    if (a > 0) {
      const above = Math.max(0, x - SKY) / (1 - SKY);
      y = Math.min(x, SKY) * gain + (1 - SKY) * Math.asinh(a * gain * above) / Math.asinh(a);
    }
    y = Math.min(1, Math.max(0, y));
    return look.negative ? 1 - y : y;
  }

  // One channel in grey, or all as they are; blue is the first band, red the last.
  function matrix() {
    const channel = { 0: "0 0 1 0 0", 1: "0 1 0 0 0", 2: "1 0 0 0 0" }[look.band];
    const rows = channel ? [channel, channel, channel] : ["1 0 0 0 0", "0 1 0 0 0", "0 0 1 0 0"];
    return [...rows, "0 0 0 1 0"].join(" ");
  }

  function apply() {
    const plain = ["softening", "smoothing", "band", "negative"].every((name) => look[name] === START[name]);
    const root = document.documentElement;
    root.style.setProperty("--brightness", plain ? look.brightness : "1");
    root.style.setProperty("--zoom", look.zoom);
    root.classList.toggle("stretched", !plain);
    root.classList.toggle("sharp", look.sharp);
    if (!plain) {
      const values = Array.from({ length: STEPS + 1 }, (_, k) => curve(k / STEPS).toFixed(4)).join(" ");
      for (const part of document.querySelectorAll("#look-filter .look-curve")) {
        part.setAttribute("tableValues", values);
      }
      $("look-matrix").setAttribute("values", matrix());
      $("look-smooth").setAttribute("stdDeviation", String(Number(look.smoothing) / SIDE));
    }
    for (const input of document.querySelectorAll("[data-look]")) {
      const value = look[input.dataset.look];
      if (input.type === "checkbox") input.checked = value;
      else input.value = value;
    }
  }

  LSBG.startLook = () => {
    for (const input of document.querySelectorAll("[data-look]")) {
      input.addEventListener("input", () => {
        look[input.dataset.look] = input.type === "checkbox" ? input.checked : input.value;
        apply();
      });
    }
    $("thumb-size").addEventListener("input", showSize);
    apply();
  };

  const showSize = () => {
    document.documentElement.style.setProperty("--thumb", `${$("thumb-size").value}px`);
  };

  LSBG.resetLook = () => {
    Object.assign(look, START);
    apply();
    $("thumb-size").value = $("thumb-size").defaultValue;
    showSize();
  };
})();
