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
    const other = LSBG.run.other ? [`${LSBG.otherText(i)} with ${LSBG.run.other.name}`] : [];
    return [`Row ${LSBG.run.row[i]}`, scored, ...other, ...flags].join(", ");
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

  // Hours, minutes and seconds of right ascension; degrees of declination. Rounded as a whole, so
  // that no part becomes 60.
  LSBG.sexagesimal = (ra, dec) => {
    const parts = (value, digits) => {
      const scale = 10 ** digits, units = Math.round(value * 3600 * scale);
      const seconds = (units % (60 * scale)) / scale, minutes = Math.floor(units / (60 * scale));
      const width = digits ? digits + 3 : 2;
      return [Math.floor(minutes / 60), minutes % 60].map((part) => String(part).padStart(2, "0"))
        .concat(seconds.toFixed(digits).padStart(width, "0"));
    };
    const [hours, ...rest] = parts(((ra % 360) + 360) % 360 / 15, 3);
    const alpha = [hours === "24" ? "00" : hours, ...rest].join(":");
    return `${alpha} ${dec < 0 ? "-" : "+"}${parts(Math.abs(dec), 2).join(":")}`;
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
      ["Aladin Lite", "https://aladin.cds.unistra.fr/AladinLite/",
       { target: `${ra} ${signed}`, fov: "0.05", survey: LSBG.run.hips }],
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
