"use strict";
// Judgements as CSV: one row each, with position, label, labeller, time and how it was chosen.

(() => {
  const HEADER = ["ra", "dec", "label", "labeller", "time", "chosen"];
  const CHOSEN = ["uncertain", "random", "browsed"];
  LSBG.LABELS = ["LSBG", "artifact", "unsure"];

  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

  LSBG.toCsv = (judgements) => [HEADER, ...judgements.map((one) => [
    one.ra.toFixed(7), one.dec.toFixed(7), one.label, one.labeller, one.time, one.chosen,
  ])].map((row) => row.map(quoted).join(",") + "\r\n").join("");

  // Fields of each row (RFC 4180).
  function parse(text) {
    const rows = [];
    let row = [], field = "", inside = false;
    const endField = () => { row.push(field); field = ""; };
    const endRow = () => {
      endField();
      if (row.length > 1 || row[0] !== "") rows.push(row);
      row = [];
    };
    for (let i = 0; i < text.length; i++) {
      const c = text[i];
      if (inside) {
        if (c !== '"') field += c;
        else if (text[i + 1] === '"') { field += c; i++; }
        else inside = false;
      } else if (c === '"' && field === "") inside = true;
      else if (c === ",") endField();
      else if (c === "\n") endRow();
      else if (c !== "\r") field += c;
    }
    if (inside) throw new Error("a quoted field has no end");
    endRow();
    return rows;
  }

  // Judgements of a file; an Error says what is wrong with it, and where.
  LSBG.fromCsv = (text) => {
    const [header = [], ...rows] = parse(text.replace(/^\uFEFF/, ""));
    const place = Object.fromEntries(HEADER.map((name) => [name, header.indexOf(name)]));
    const missing = HEADER.filter((name) => place[name] < 0 && name !== "chosen");
    if (missing.length) throw new Error(`no column ${missing.join(", ")} in its first line`);
    return rows.map((row, number) => judgement(row, place, number + 2));
  };

  function judgement(row, place, line) {
    const text = (name) => (row[place[name]] ?? "").trim();
    const one = {
      ra: text("ra") === "" ? NaN : Number(text("ra")),
      dec: text("dec") === "" ? NaN : Number(text("dec")),
      label: text("label"), labeller: text("labeller"), time: text("time"),
      chosen: text("chosen") || "browsed",
    };
    const at = Date.parse(one.time);
    const wrong =
      !(one.ra >= 0 && one.ra <= 360 && Math.abs(one.dec) <= 90) ? "is no position in degrees"
      : !LSBG.LABELS.includes(one.label) ? `has the label ${one.label || "(none)"}`
      : !one.labeller ? "has no labeller"
      : Number.isNaN(at) ? "has no time in ISO 8601"
      : !CHOSEN.includes(one.chosen) ? `was chosen as ${one.chosen}` : "";
    if (wrong) throw new Error(`row ${line} ${wrong}`);
    return { ...one, at };
  }
})();
