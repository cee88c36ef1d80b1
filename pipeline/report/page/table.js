"use strict";
// The candidates as a table: as many rows as are in view, a click on a column's name sorts by it.

(() => {
  const { element } = LSBG;
  const $ = (id) => document.getElementById(id);
  const HEIGHT = 36, AROUND = 12;  // CSS pixels of a row; rows drawn beyond those in view
  let columns = [], first = -1, last = -1;

  LSBG.startTable = () => {
    columns = tableColumns();
    $("table-names").append(element("th", { scope: "col", textContent: "mark" }),
      element("th", { scope: "col", textContent: "picture" }), ...columns.map(header));
    $("table").querySelector("table").style.setProperty("--columns", columns.length);
    $("table").addEventListener("scroll", () => draw());
    window.addEventListener("resize", () => draw());
    $("table-rows").addEventListener("click", (event) => {
      const row = event.target.closest("[data-at]");
      if (row && !event.target.closest(".mark-box")) LSBG.openDetail(Number(row.dataset.at));
    });
    $("table-rows").addEventListener("keydown", keys);
  };

  // Names, how to sort by them, and what stands in their cells.
  function tableColumns() {
    const { run } = LSBG;
    const flags = (i) => LSBG.flagsOf(run.flags[i]).map((flag) => flag.name).join(" ");
    const degrees = (value) => (Number.isNaN(value) ? "–" : value.toFixed(6));
    const list = [
      { name: "row", sort: "row", text: (i) => String(run.row[i]) },
      { name: "probability", sort: "probability", text: LSBG.probabilityText },
      { name: "flags", text: flags }, { name: "label", text: (i) => LSBG.judgement(i)?.label ?? "" },
      { name: "note", text: LSBG.noteOf },
      { name: "right ascension", sort: "ra", text: (i) => degrees(run.ra[i]) },
      { name: "declination", sort: "dec", text: (i) => degrees(run.dec[i]) },
    ];
    if (run.truth) list.splice(3, 0, { name: run.truthName, text: (i) => ["", "not an LSBG", "LSBG"][run.truth[i] + 1] });
    if (run.other) list.splice(2, 0, { name: `with ${run.other.name}`, text: LSBG.otherText });
    run.columns.forEach((column, number) => list.push({
      name: column.unit ? `${column.name} (${column.unit})` : column.name, sort: `column ${number}`,
      title: column.description, text: (i) => LSBG.valueText(number, i),
    }));
    return list;
  }

  function header(column) {
    const cell = element("th", { scope: "col", title: column.title ?? "" });
    if (!column.sort) { cell.append(element("bdi", { textContent: column.name })); return cell; }
    cell.dataset.sort = column.sort;
    const button = element("button", { type: "button" }, element("bdi", { textContent: column.name }));
    button.addEventListener("click", () => {
      const again = $("sort").value === column.sort;
      $("sort").value = column.sort;
      $("descending").value = String(again ? $("descending").value !== "true" : true);
      LSBG.showSelection();
    });
    cell.append(button);
    return cell;
  }

  // Show the order of the gallery from its first row on.
  LSBG.showTable = () => {
    $("table").scrollTop = 0;
    for (const cell of $("table-names").querySelectorAll("[data-sort]")) {
      const sorted = cell.dataset.sort === $("sort").value;
      if (sorted) cell.setAttribute("aria-sort", $("descending").value === "true" ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    }
    $("table").querySelector("table").setAttribute("aria-rowcount", LSBG.gallery.order.length + 1);
    LSBG.refreshTable();
    LSBG.loadColumns().then(LSBG.refreshTable);
  };

  LSBG.refreshTable = () => { first = -1; draw(); };

  // Draw the rows in view; two rows of the height of all others stand for those above and below.
  function draw() {
    const box = $("table"), { order } = LSBG.gallery;
    if (box.hidden) return;
    const top = Math.floor(box.scrollTop / HEIGHT), count = Math.ceil(box.clientHeight / HEIGHT);
    const from = Math.max(0, top - AROUND), to = Math.min(order.length, top + count + AROUND);
    if (first >= 0 && from === first && to === last) return;
    if (first >= 0 && Math.abs(from - first) < AROUND / 2 && to < order.length && from > 0) return;
    const focused = document.activeElement?.closest?.("#table-rows [data-at]") !== null;
    [first, last] = [from, to];
    $("table-rows").replaceChildren(space(from), ...Array.from(order.subarray(from, to), (i, k) => row(i, from + k)),
      space(order.length - to));
    if (focused) rowAt(LSBG.gallery.focus)?.querySelector("button").focus({ preventScroll: true });
  }

  const rowAt = (at) => $("table-rows").querySelector(`[data-at="${at}"]`);

  function space(rows) {
    const empty = element("tr", { className: "space" }, element("td", { colSpan: columns.length + 2 }));
    empty.setAttribute("aria-hidden", "true");
    empty.style.height = `${rows * HEIGHT}px`;
    empty.hidden = rows === 0;
    return empty;
  }

  function row(i, at) {
    const made = element("tr", {}, element("td", {}, LSBG.markBox(i, at)),
      element("td", {}, LSBG.picture(i, { now: true })));
    made.dataset.at = at;
    made.setAttribute("aria-rowindex", at + 2);
    made.classList.toggle("marked", LSBG.isMarked(i));
    for (const column of columns) {
      const text = element("bdi", { textContent: column.text(i) });
      if (column.name !== "row") { made.append(element("td", { title: text.textContent }, text)); continue; }
      const open = element("button", { type: "button", tabIndex: at === LSBG.gallery.focus ? 0 : -1 }, text);
      open.setAttribute("aria-label", LSBG.describe(i));
      open.setAttribute("aria-keyshortcuts", "L A U X N");
      made.append(element("th", { scope: "row" }, open));
    }
    return made;
  }

  function keys(event) {
    const at = Number(event.target.closest("[data-at]")?.dataset.at ?? NaN);
    if (Number.isNaN(at) || event.target.closest(".mark-box")) return;
    LSBG.gallery.focus = at;
    if (LSBG.candidateKey(event, at) || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor($("table").clientHeight / HEIGHT) - 2);
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    LSBG.focusRow(at + step);
  }

  // Go to a row; the table scrolls to where it is.
  LSBG.focusRow = (at) => {
    at = Math.min(Math.max(at, 0), LSBG.gallery.order.length - 1);
    if (at < 0) return;
    LSBG.gallery.focus = at;
    const box = $("table"), room = box.clientHeight - 2 * HEIGHT, place = at * HEIGHT;
    if (place < box.scrollTop) box.scrollTop = place;
    else if (place > box.scrollTop + room) box.scrollTop = place - room;
    LSBG.refreshTable();
    rowAt(at)?.querySelector("button").focus({ preventScroll: true });
  };
})();
