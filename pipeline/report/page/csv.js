"use strict";
// Judgements as CSV: one row each, with position, label, labeller, time and how it was chosen.
// Files of spreadsheets are read too: semicolons, decimal commas, 1 and 0 for labels; labeller,
// time and chosen may be missing.

(() => {
  const HEADER = ["ra", "dec", "label", "labeller", "time", "chosen"];
  const MORE = ["report", "weights", "blind"];
  const NEEDED = ["ra", "dec", "label"];
  const CHOSEN = ["uncertain", "random", "taught", "browsed"];
  LSBG.LABELS = ["LSBG", "artifact", "unsure"];

  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

  LSBG.csvText = (rows) => rows.map((row) => row.map((cell) => quoted(String(cell))).join(",") + "\r\n").join("");

  // Notes have a column where there are any.
  LSBG.toCsv = (judgements) => {
    const noted = judgements.some((one) => one.note);
    return LSBG.csvText([[...HEADER, ...MORE, ...(noted ? ["note"] : [])], ...judgements.map((one) => [
      one.ra.toFixed(7), one.dec.toFixed(7), one.label, one.labeller, one.time, one.chosen,
      one.report ?? "", one.weights ?? "", one.blind === undefined ? "" : Number(one.blind),
      ...(noted ? [one.note ?? ""] : []),
    ])]);
  };

  // Fields of each row (RFC 4180), with the line that it ends on.
  function parse(text, delimiter) {
    const rows = [];
    let row = [], field = "", inside = false, line = 1;
    const endField = () => { row.push(field); field = ""; };
    const endRow = () => {
      endField();
      if (row.some((value) => value.trim() !== "")) rows.push({ row, line });
      row = [];
    };
    for (let i = 0; i < text.length; i++) {
      const c = text[i];
      if (inside) {
        if (c !== '"') field += c;
        else if (text[i + 1] === '"') { field += c; i++; }
        else inside = false;
      } else if (c === '"' && field === "") inside = true;
      else if (c === delimiter) endField();
      else if (c === "\n") endRow();
      else if (c !== "\r") field += c;
      if (c === "\n") line++;
    }
    if (inside) throw new Error("a quoted field has no end");
    endRow();
    return rows;
  }

  // What separates the names in the first line: that by which most columns are known.
  function delimiterOf(text) {
    const line = text.split(/\r?\n/, 1)[0].toLowerCase();
    const known = (delimiter) => line.split(delimiter)
      .filter((name) => HEADER.includes(name.replaceAll('"', "").trim())).length;
    return [",", ";", "\t"].reduce((best, one) => (known(one) > known(best) ? one : best));
  }

  // Judgements of a file; an Error says what is wrong with it, and where. `name` is that of the
  // file: whoever gave labels without a name is called by it.
  LSBG.fromCsv = (text, name = "") => {
    text = text.replace(/^\uFEFF/, "");
    const [header = { row: [] }, ...rows] = parse(text, delimiterOf(text));
    const names = header.row.map((one) => one.trim().toLowerCase());
    const missing = NEEDED.filter((one) => !names.includes(one));
    if (missing.length) throw new Error(`no column ${missing.join(", ")} in its first line`);
    const labeller = name.replace(/\.[^.]*$/, "").slice(0, 60) || "no name";
    const found = rows.map(({ row, line }) => judgement(row, names, line, labeller));
    const decimals = found.reduce((most, one) => Math.max(most, one.decimals), 0);
    return found.map((one) => ({ ...one, decimals }));
  };

  const withPoint = (text) => (/^[+-]?\d+,\d+$/.test(text) ? text.replace(",", ".") : text);
  const number = (text) => (text === "" ? NaN : Number(withPoint(text)));
  const decimalsOf = (text) => (/e/i.test(text) ? 9 : (withPoint(text).split(".")[1] ?? "").length);

  function labelOf(text) {
    const named = LSBG.LABELS.find((label) => label.toLowerCase() === text.toLowerCase());
    if (named) return named;
    if (text === "") return "unsure";
    return { 1: "LSBG", 0: "artifact" }[number(text)];
  }

  function judgement(row, names, line, labeller) {
    if (row.slice(names.length).some((value) => value.trim() !== "")) {
      throw new Error(`row ${line} has more values than columns; decimal commas need semicolons between the values`);
    }
    const text = (name) => (row[names.indexOf(name)] ?? "").trim();
    const one = {
      ra: (number(text("ra")) % 360 + 360) % 360, dec: number(text("dec")), label: labelOf(text("label")),
      labeller: text("labeller") || labeller, time: text("time"),
      chosen: text("chosen").toLowerCase() || "browsed", note: text("note"),
      report: text("report"), weights: text("weights"), blind: { 1: true, 0: false }[number(text("blind"))],
      decimals: Math.max(decimalsOf(text("ra")), decimalsOf(text("dec"))),
    };
    const at = one.time ? Date.parse(one.time) : 0;
    const wrong =
      !(one.ra >= 0 && one.ra <= 360 && Math.abs(one.dec) <= 90) ? "is no position in degrees"
      : !one.label ? `has the label ${text("label")}, and not LSBG, artifact or unsure`
      : Number.isNaN(at) ? "has no time in ISO 8601"
      : !CHOSEN.includes(one.chosen) ? `was chosen as ${one.chosen}` : "";
    if (wrong) throw new Error(`row ${line} ${wrong}`);
    return { ...one, at };
  }
})();
