"use strict";
// The probabilities of other weights, where the report has them, and where the two disagree.

(() => {
  const $ = (id) => document.getElementById(id);

  LSBG.startOther = () => {
    const { other } = LSBG.run;
    for (const part of document.querySelectorAll(".other-weights")) part.hidden = !other;
    if (!other) return;
    const option = (value, textContent) => LSBG.element("option", { value, textContent });
    $("weights-choice").append(option("disagree", "they disagree"),
      option("old", `only ${other.oldName} says LSBG`), option("new", `only ${other.name} says LSBG`));
  };

  // The probability that the other weights give; NaN where there is none.
  LSBG.otherProbability = (i) => (LSBG.run.other ? LSBG.values("other")?.[i] ?? NaN : NaN);
  LSBG.otherText = (i) => {
    const value = LSBG.otherProbability(i);
    return Number.isNaN(value) ? "not scored" : value.toFixed(3);
  };

  // How far the two probabilities are apart.
  LSBG.differences = async () => {
    const other = await LSBG.loadValues("other");
    return Float64Array.from(other, (value, i) => Math.abs(value - LSBG.run.probability[i]));
  };

  // Where each set of weights, by its own threshold, says what the choice asks for.
  LSBG.weightsTest = async (choice) => {
    const { other, probability } = LSBG.run;
    if (!choice || !other) return null;
    const values = await LSBG.loadValues("other");
    const kinds = { disagree: [[true, false], [false, true]], old: [[true, false]], new: [[false, true]] }[choice];
    if (!kinds) return null;
    return (i) => {
      if (Number.isNaN(values[i]) || Number.isNaN(probability[i])) return false;
      const first = probability[i] > LSBG.run.threshold, second = values[i] > other.threshold;
      return kinds.some(([a, b]) => a === first && b === second);
    };
  };
})();
