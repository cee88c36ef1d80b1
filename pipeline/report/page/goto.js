"use strict";
// Go to the candidate of a row, or of an identifier.

(() => {
  const $ = (id) => document.getElementById(id);

  LSBG.startGoto = () => {
    $("goto").addEventListener("click", goto);
    $("goto-value").addEventListener("keydown", (event) => { if (event.key === "Enter") goto(event); });
    // The columns that a candidate can be found by: whole numbers and texts.
    LSBG.run.columns.forEach((column, number) => {
      if (column.kind !== "text" && column.kind !== "integer") return;
      $("goto-column").append(LSBG.element("option", { value: String(number), textContent: column.name }));
    });
  };

  // Open the candidate; say where there is none.
  async function goto(event) {
    event.preventDefault();
    const wanted = $("goto-value").value.trim(), choice = $("goto-column").value;
    if (!wanted) return;
    const i = await candidateOf(choice, wanted);
    const name = choice === "row" ? "Row" : LSBG.run.columns[Number(choice)].name;
    const at = i < 0 ? -1 : LSBG.gallery.order.indexOf(i);
    $("goto-said").textContent = i < 0 ? `${name} ${wanted} is not in this report.`
      : at < 0 ? `${name} ${wanted} does not pass the filters.` : "";
    if (at < 0) return;
    LSBG.turnToCandidate(at);
    LSBG.openDetail(at);
  }

  async function candidateOf(choice, wanted) {
    if (choice === "row") return LSBG.run.row.indexOf(Number(wanted));
    const column = await LSBG.loadColumn(Number(choice));
    if (column.numbers) return column.numbers.indexOf(Number(wanted));
    const code = column.texts.findIndex((text) => text.trim() === wanted);
    return code < 0 ? -1 : column.codes.indexOf(code);
  }
})();
