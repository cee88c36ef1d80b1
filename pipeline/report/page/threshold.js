"use strict";
// What a threshold implies: how many candidates lie above it, and, where the truth or labels are
// known, how many of the LSBGs that finds and how many of those above are LSBGs.

(() => {
  const $ = (id) => document.getElementById(id);
  const Z = 1.959964;

  LSBG.startThreshold = () => {
    $("threshold").value = $("threshold").defaultValue = LSBG.run.threshold;
    $("threshold").addEventListener("input", LSBG.showThreshold);
    $("threshold-filter").addEventListener("click", () => {
      $("p-from").value = $("threshold").value;
      LSBG.showSelection();
    });
    LSBG.showThreshold();
  };

  LSBG.resetThreshold = () => {
    $("threshold").value = $("threshold").defaultValue;
    LSBG.showThreshold();
  };

  // Wilson's 95% interval of a fraction.
  function fraction(hits, trials) {
    if (!trials) return "not defined";
    const p = hits / trials, square = Z * Z, scale = 1 + square / trials;
    const middle = p + square / (2 * trials);
    const reach = Z * Math.sqrt(p * (1 - p) / trials + square / (4 * trials * trials));
    const ends = [Math.max(0, (middle - reach) / scale), Math.min(1, (middle + reach) / scale)];
    return `${p.toFixed(3)} (${ends.map((end) => end.toFixed(3)).join(" to ")})`;
  }

  LSBG.showThreshold = () => {
    const { thresholds } = LSBG.run, value = Number($("threshold").value);
    const last = thresholds.above.length - 1, step = Math.round(value * last);
    const count = (name) => thresholds[name][step];
    const parts = [`${count("above").toLocaleString("en")} candidates of the catalog are above ${value.toFixed(2)}`];
    if (thresholds.lsbgs) {
      const total = thresholds.lsbgCount, found = count("lsbgs"), others = count("others");
      parts.push(`completeness ${fraction(found, total)}`, `purity ${fraction(found, found + others)}`,
        `by ${total.toLocaleString("en")} LSBGs and ${thresholds.otherCount.toLocaleString("en")} others`);
    }
    $("threshold-value").textContent = value.toFixed(2);
    $("threshold-said").textContent = `${parts.join("; ")}.`;
  };
})();
