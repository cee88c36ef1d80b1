"use strict";
// A map of the sky that filters: a click takes the candidates around it, a drag a box of them.

(() => {
  const $ = (id) => document.getElementById(id);
  const CELL = 2, EDGE = 26, CLICK = 5, AROUND = 1 / 12;  // CSS pixels; the part of the map that a click takes
  const BOUNDS = ["ra-from", "ra-to", "dec-from", "dec-to"];
  let frame = null, from = null;

  LSBG.startSky = () => {
    const placed = Array.from({ length: LSBG.run.size }, (_, i) => i).filter(LSBG.hasPosition);
    $("sky-map").hidden = !placed.length;
    if (!placed.length) return;
    frame = frameOf(placed);
    $("sky-map").addEventListener("toggle", LSBG.drawSky);
    window.addEventListener("resize", LSBG.drawSky);
    $("sky-clear").addEventListener("click", () => take(null));
    const canvas = $("sky");
    canvas.addEventListener("pointerdown", (event) => { from = place(event); canvas.setPointerCapture(event.pointerId); });
    canvas.addEventListener("pointermove", (event) => { if (from) paint([from, place(event)]); });
    canvas.addEventListener("pointercancel", () => { from = null; LSBG.drawSky(); });
    canvas.addEventListener("pointerup", (event) => {
      if (from) take(boxOf(from, place(event)));
      from = null;
    });
  };

  // The middle and the extent of all candidates; right ascensions may lie on both sides of 0.
  function frameOf(placed) {
    const { ra, dec } = LSBG.run;
    let x = 0, y = 0, low = 90, high = -90;
    for (const i of placed) {
      x += Math.cos(ra[i] * Math.PI / 180);
      y += Math.sin(ra[i] * Math.PI / 180);
      low = Math.min(low, dec[i]);
      high = Math.max(high, dec[i]);
    }
    const centre = Math.atan2(y, x) * 180 / Math.PI, east = (i) => ((ra[i] - centre + 540) % 360 + 360) % 360 - 180;
    let left = -180, right = 180;
    [left, right] = placed.reduce(([a, b], i) => [Math.min(a, east(i)), Math.max(b, east(i))], [180, -180]);
    const shrink = Math.max(Math.cos((low + high) / 2 * Math.PI / 180), 0.05);
    const margin = Math.max(0.02 * Math.max((right - left) * shrink, high - low), 1e-3);
    return { centre, east, shrink, left: left - margin / shrink, right: right + margin / shrink,
             low: Math.max(-90, low - margin), high: Math.min(90, high + margin) };
  }

  const place = (event) => ({ x: event.offsetX, y: event.offsetY });

  // Scales between degrees and CSS pixels: east is left, one scale for both at the middle.
  function scales() {
    const width = $("sky").clientWidth - 2 * EDGE, height = $("sky").clientHeight - 2 * EDGE;
    const across = (frame.right - frame.left) * frame.shrink, up = frame.high - frame.low;
    const scale = Math.min(width / across, height / up);
    const x0 = EDGE + (width - across * scale) / 2, y0 = EDGE + (height - up * scale) / 2;
    return {
      x: (east) => x0 + (frame.right - east) * frame.shrink * scale, y: (dec) => y0 + (frame.high - dec) * scale,
      east: (x) => frame.right - (x - x0) / scale / frame.shrink, dec: (y) => frame.high - (y - y0) / scale,
      size: Math.max(across, up) * scale,
    };
  }

  // The bounds of a drag, or of the surroundings of a click.
  function boxOf(one, other) {
    const to = scales();
    let [x0, x1] = [one.x, other.x].sort((a, b) => a - b), [y0, y1] = [one.y, other.y].sort((a, b) => a - b);
    if (x1 - x0 < CLICK && y1 - y0 < CLICK) {
      const reach = to.size * AROUND / 2;
      [x0, x1, y0, y1] = [x0 - reach, x1 + reach, y0 - reach, y1 + reach];
    }
    const ra = (x) => ((to.east(x) + frame.centre) % 360 + 360) % 360;
    const round = (value) => Number(value.toFixed(5));
    return [round(ra(x1)), round(ra(x0)), round(Math.max(-90, to.dec(y1))), round(Math.min(90, to.dec(y0)))];
  }

  function take(bounds) {
    BOUNDS.forEach((id, k) => { $(id).value = bounds ? bounds[k] : ""; });
    LSBG.showSelection();
  }

  // Whether a candidate lies within the bounds; right ascensions from a higher to a lower go through 0.
  LSBG.skyTest = () => {
    const [raFrom, raTo, decFrom, decTo] = BOUNDS.map((id) => $(id).valueAsNumber);
    if ([raFrom, raTo, decFrom, decTo].every(Number.isNaN)) return null;
    const { ra, dec } = LSBG.run, or = (value, start) => (Number.isNaN(value) ? start : value);
    const west = or(raFrom, 0), east = or(raTo, 360), low = or(decFrom, -90), high = or(decTo, 90);
    return (i) => dec[i] >= low && dec[i] <= high
      && (west <= east ? ra[i] >= west && ra[i] <= east : ra[i] >= west || ra[i] <= east);
  };

  LSBG.drawSky = () => paint(null);

  function paint(drag) {
    const canvas = $("sky");
    if (!frame || !$("sky-map").open || !canvas.clientWidth) return;
    const ratio = window.devicePixelRatio || 1, to = scales(), context = canvas.getContext("2d");
    canvas.width = canvas.clientWidth * ratio;
    canvas.height = canvas.clientHeight * ratio;
    context.scale(ratio, ratio);
    const colour = (name) => getComputedStyle(canvas).getPropertyValue(name).trim();
    dots(context, to, LSBG.run.row.keys(), colour("--muted"), 0.5);
    dots(context, to, LSBG.gallery.order, colour("--lsbg"), 1);
    labels(context, to, colour("--ink"));
    const bounds = drag ? boxOf(...drag) : BOUNDS.map((id) => $(id).valueAsNumber);
    if (!bounds.some(Number.isNaN)) outline(context, to, bounds, colour("--ink"));
  }

  // Cells that hold candidates, the fuller the less transparent.
  function dots(context, to, candidates, colour, opacity) {
    const { ra, dec } = LSBG.run, cells = new Map();
    let most = 1;
    for (const i of candidates) {
      if (!Number.isFinite(ra[i]) || !Number.isFinite(dec[i])) continue;
      const key = Math.floor(to.x(frame.east(i)) / CELL) * 65536 + Math.floor(to.y(dec[i]) / CELL);
      const count = (cells.get(key) ?? 0) + 1;
      cells.set(key, count);
      if (count > most) most = count;
    }
    context.fillStyle = colour;
    for (const [key, count] of cells) {
      context.globalAlpha = opacity * (0.35 + 0.65 * Math.log(1 + count) / Math.log(1 + most));
      context.fillRect(Math.floor(key / 65536) * CELL, (key % 65536) * CELL, CELL + 1, CELL + 1);
    }
    context.globalAlpha = 1;
  }

  function labels(context, to, colour) {
    const degrees = (value, digits) => `${value.toFixed(digits)}°`;
    const digits = Math.max(0, Math.min(5, 1 - Math.floor(Math.log10(frame.high - frame.low))));
    const ra = (east) => degrees(((east + frame.centre) % 360 + 360) % 360, digits);
    context.fillStyle = context.strokeStyle = colour;
    context.globalAlpha = 0.35;
    context.strokeRect(to.x(frame.right), to.y(frame.high), to.x(frame.left) - to.x(frame.right), to.y(frame.low) - to.y(frame.high));
    context.globalAlpha = 1;
    context.font = `12px ${getComputedStyle($("sky")).fontFamily}`;
    const bottom = to.y(frame.low) + 15;
    context.textAlign = "left";
    context.fillText(`RA ${ra(frame.right)}`, to.x(frame.right), bottom);
    context.fillText(`Dec ${degrees(frame.high, digits)}`, to.x(frame.right), to.y(frame.high) - 6);
    context.textAlign = "right";
    context.fillText(ra(frame.left), to.x(frame.left), bottom);
    context.fillText(`from Dec ${degrees(frame.low, digits)}`, to.x(frame.left), to.y(frame.high) - 6);
  }

  function outline(context, to, [raFrom, raTo, decFrom, decTo], colour) {
    const east = (ra) => ((ra - frame.centre + 540) % 360 + 360) % 360 - 180;
    let [a, b] = [east(raFrom), east(raTo)];
    if (a > b) a -= 360;
    context.strokeStyle = colour;
    context.lineWidth = 2;
    context.strokeRect(to.x(b), to.y(decTo), to.x(a) - to.x(b), to.y(decFrom) - to.y(decTo));
  }
})();
