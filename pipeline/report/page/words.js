"use strict";
// What is known of a candidate, in words.

(() => {
  const { element } = LSBG;

  LSBG.probabilityText = (i) => {
    const value = LSBG.run.probability[i];
    return Number.isNaN(value) ? "not scored" : value.toFixed(3);
  };

  LSBG.flagsOf = (value) => LSBG.run.flagTable.filter((flag) => value & flag.bit);

  LSBG.describe = (i) => {
    const flags = LSBG.flagsOf(LSBG.run.flags[i]).map((flag) => flag.name);
    const probability = LSBG.probabilityText(i);
    const scored = probability === "not scored" ? probability : `probability ${probability}`;
    return [`Row ${LSBG.run.row[i]}`, scored, ...flags].join(", ");
  };

  // Digits that a number has, without the noise of its storage.
  LSBG.numberText = (value, numbers) => {
    if (Number.isNaN(value)) return "–";
    if (Number.isInteger(value)) return String(value);
    return String(Number(value.toPrecision(numbers instanceof Float32Array ? 7 : 12)));
  };

  LSBG.valueText = (number, i) => {
    const column = LSBG.column(number);
    if (!column) return "…";
    if (column.texts) return column.codes[i] < 0 ? "–" : column.texts[column.codes[i]];
    if (LSBG.run.columns[number].kind === "logical" && !Number.isNaN(column.numbers[i])) {
      return column.numbers[i] ? "true" : "false";
    }
    return LSBG.numberText(column.numbers[i], column.numbers);
  };

  LSBG.hasPosition = (i) => Number.isFinite(LSBG.run.ra[i]) && Number.isFinite(LSBG.run.dec[i]);

  // Links to what others know at the position; followed only when somebody follows them.
  LSBG.links = (i) => {
    if (!LSBG.hasPosition(i)) return [];
    const ra = LSBG.run.ra[i].toFixed(6), dec = LSBG.run.dec[i].toFixed(6);
    const signed = dec.startsWith("-") ? dec : `+${dec}`;
    const places = [
      ["Sky viewer", "https://www.legacysurvey.org/viewer",
       { ra, dec, layer: LSBG.run.layer, zoom: "15" }],
      ["SIMBAD", "https://simbad.cds.unistra.fr/simbad/sim-coo",
       { Coord: `${ra}d ${signed}d`, CooFrame: "ICRS", Radius: "30", "Radius.unit": "arcsec" }],
      ["NED", "https://ned.ipac.caltech.edu/conesearch",
       { search_type: "Near Position Search", in_csys: "Equatorial", in_equinox: "J2000",
         coordinates: `${ra}d ${signed}d`, radius: "0.5" }],
    ];
    return places.map(([name, address, query]) => element("a", {
      href: `${address}?${new URLSearchParams(query)}`, textContent: name,
      target: "_blank", rel: "noopener noreferrer",
    }));
  };
})();
