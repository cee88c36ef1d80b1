"use strict";
// What the gallery shows, taken along: as CSV, and as a command that makes a catalog of it; and
// texts for the clipboard.

(() => {
  const $ = (id) => document.getElementById(id);

  LSBG.startExport = () => {
    $("export-selection").addEventListener("click", exportSelection);
    $("copy-command").addEventListener("click", () => LSBG.copy(command(), "export-said"));
  };

  async function exportSelection() {
    const { run } = LSBG, order = LSBG.chosenCandidates();
    await Promise.all(run.columns.map((_, number) => LSBG.loadColumn(number)));
    const other = run.other ? [`probability_${run.other.name}`] : [];
    const header = ["row", "ra", "dec", "probability", ...other, "flags", "label", "note", ...run.columns.map((one) => one.name)];
    const number = (value) => (Number.isNaN(value) ? "" : value);
    const rows = order.map((i) => [
      run.row[i], number(run.ra[i]), number(run.dec[i]), number(Number(run.probability[i].toPrecision(7))),
      ...other.map(() => number(Number(LSBG.otherProbability(i).toPrecision(7)))),
      run.flags[i], LSBG.judgement(i)?.label ?? "", LSBG.noteOf(i), ...run.columns.map((_, k) => value(k, i)),
    ]);
    LSBG.download("selection.csv", LSBG.csvText([header, ...rows]));
    $("export-said").textContent = `${order.length.toLocaleString("en")} candidates in selection.csv.`;
  }

  const value = (number, i) => {
    const column = LSBG.column(number);
    if (column.texts) return column.codes[i] < 0 ? "" : column.texts[column.codes[i]];
    return Number.isNaN(column.numbers[i]) ? "" : LSBG.numberText(column.numbers[i], column.numbers);
  };

  // Python, because it takes any rows and every format of catalog; texts are quoted for the shell.
  function command() {
    const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;
    const program = "import csv, sys; from astropy.table import Table; "
      + "rows = [int(float(one['row'])) for one in csv.DictReader(open(sys.argv[2]))]; "
      + "Table.read(sys.argv[1])[rows].write(sys.argv[3])";
    const ending = LSBG.run.name.match(/\.(fits|parquet|ecsv|vot)$/i)?.[0] ?? ".fits";
    return `python -c "${program}" ${shell(LSBG.run.name)} selection.csv chosen${ending}`;
  }

  // Put a text on the clipboard, and say so; where that is not allowed, show it to be copied.
  LSBG.copy = async (text, saidBy) => {
    try {
      await navigator.clipboard.writeText(text);
      $(saidBy).textContent = `Copied: ${text}`;
    } catch {
      $(saidBy).textContent = text;
      getSelection().selectAllChildren($(saidBy));
    }
  };
})();
