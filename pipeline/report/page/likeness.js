"use strict";
// More like this, and odd ones first: by what the network sees in each candidate.

(() => {
  const $ = (id) => document.getElementById(id);

  LSBG.hasFeatures = () => Boolean(LSBG.run.features);

  // How alike every candidate is to one of them: minus the distance between their features, which
  // are whole numbers; NaN where a candidate has no cutout.
  LSBG.likenessTo = async (i) => {
    const features = await LSBG.loadValues("features"), { features: width, have, size } = LSBG.run;
    const keys = new Float64Array(size).fill(NaN);
    if (!have[i]) return keys;
    for (let k = 0; k < size; k++) {
      if (!have[k]) continue;
      let sum = 0;
      for (let n = 0; n < width; n++) sum += (features[k * width + n] - features[i * width + n]) ** 2;
      keys[k] = -Math.sqrt(sum);
    }
    return keys;
  };

  // The choice of the order by likeness to a row; made where the list has none.
  LSBG.likenessOption = (row) => {
    const value = `like ${row}`;
    let option = [...$("sort").options].find((one) => one.value.startsWith("like "));
    if (!option) $("sort").append(option = LSBG.element("option"));
    option.value = value;
    option.textContent = `likeness to row ${Number(row).toLocaleString("en")}`;
    return value;
  };

  // Show the candidates in the order of their likeness to one of them.
  LSBG.showAlike = (i) => {
    $("sort").value = LSBG.likenessOption(LSBG.run.row[i]);
    $("descending").value = "true";
    LSBG.closeDetail();
    return LSBG.showSelection();
  };
})();
