"use strict";
// Heat maps over pictures: where the network sees what speaks for an LSBG.

(() => {
  const { element } = LSBG;
  const HEAT = 16;

  // From transparent violet over orange to yellow.
  function colour(value) {
    const x = value / 255;
    return [255 * Math.min(1, 0.45 + 0.9 * x), 255 * Math.max(0, 1.15 * x - 0.2),
            255 * Math.max(0, 0.65 - 1.1 * x), 255 * Math.min(0.6, 0.08 + 0.9 * x)];
  }

  function paint(canvas, values) {
    const context = canvas.getContext("2d");
    const pixels = context.createImageData(canvas.width, canvas.height);
    values.forEach((value, k) => pixels.data.set(value ? colour(value) : [0, 0, 0, 0], 4 * k));
    context.putImageData(pixels, 0, 0);
  }

  // Lay the heat map over a picture, or take it away.
  LSBG.showHeatMap = async (box, i, wanted) => {
    box.querySelector(".heat")?.remove();
    if (!wanted || !LSBG.hasHeatMap(i)) return;
    const canvas = element("canvas", { width: HEAT, height: HEAT, className: "heat" });
    box.append(canvas);
    paint(canvas, await LSBG.loadHeatMap(i));
  };

  // The controls of opacity, the same for all, and the legends.
  LSBG.startHeat = () => {
    for (const canvas of document.querySelectorAll(".heat-scale")) {
      paint(canvas, Array.from({ length: canvas.width }, (_, k) => Math.round(1 + 254 * k / (canvas.width - 1))));
    }
    const sliders = document.querySelectorAll(".heat-opacity");
    for (const slider of sliders) {
      slider.addEventListener("input", () => {
        document.documentElement.style.setProperty("--heat", slider.value);
        for (const other of sliders) other.value = slider.value;
      });
    }
  };
})();
