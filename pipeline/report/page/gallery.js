"use strict";
// The gallery: a page of pictures at a time, by mouse, by arrow keys, and by the keys of labels.

(() => {
  const { element } = LSBG;
  const view = { order: new Uint32Array(0), page: 0, focus: 0 };
  const $ = (id) => document.getElementById(id);
  const KEYS = { l: "LSBG", a: "artifact", u: "unsure" };
  LSBG.gallery = view;

  LSBG.startGallery = () => {
    for (const pager of document.querySelectorAll(".pager")) pager.addEventListener("click", turn);
    $("cards").addEventListener("click", (event) => {
      const card = event.target.closest(".card");
      if (card) LSBG.openDetail(Number(card.dataset.at));
    });
    $("cards").addEventListener("keydown", keys);
    $("goto").addEventListener("click", goto);
    $("goto-value").addEventListener("keydown", (event) => { if (event.key === "Enter") goto(event); });
    fillGoto();
    LSBG.onLabels(updateMarks);
  };

  // Show what the controls choose, from its first page on.
  LSBG.showSelection = async (page = 0) => {
    const order = await LSBG.selected();
    if (!order) return false;
    view.order = order;
    view.page = Math.min(Math.max(page, 0), pageCount() - 1);
    view.focus = view.page * pageSize();
    show();
    LSBG.writeState();
    return true;
  };

  const pageSize = () => Number($("page-size").value);
  const pageCount = () => Math.max(1, Math.ceil(view.order.length / pageSize()));

  function show() {
    const start = view.page * pageSize();
    const part = view.order.subarray(start, start + pageSize());
    LSBG.forgetPictures();
    $("cards").replaceChildren(...Array.from(part, (i, k) => card(i, start + k)));
    const total = view.order.length.toLocaleString("en");
    const shown = `${(start + 1).toLocaleString("en")} to ${(start + part.length).toLocaleString("en")}`;
    const chosen = view.order.length === LSBG.run.size ? "candidates"
      : `of ${LSBG.run.size.toLocaleString("en")} candidates`;
    $("shown").textContent = part.length ? `${total} ${chosen}, ${shown} on this page`
      : "No candidate passes these filters";
    for (const pager of document.querySelectorAll(".pager")) {
      pager.hidden = pageCount() === 1;
      pager.querySelector("output").textContent =
        `Page ${(view.page + 1).toLocaleString("en")} of ${pageCount().toLocaleString("en")}`;
      for (const button of pager.querySelectorAll("button")) {
        const back = Number(button.value) < 0;
        button.disabled = view.page === (back ? 0 : pageCount() - 1);
      }
    }
  }

  function card(i, at) {
    const button = element("button", { type: "button", className: "card" });
    button.setAttribute("aria-keyshortcuts", "L A U");
    button.dataset.at = at;
    button.dataset.i = i;
    button.tabIndex = at === view.focus ? 0 : -1;
    const flagged = LSBG.run.flags[i] !== 0;
    button.append(LSBG.picture(i), element("span", { className: "caption" },
      element("span", { className: "number", textContent: LSBG.probabilityText(i) }),
      element("span", { className: "marks" },
        flagged ? element("span", { className: "flagged", title: "flagged", textContent: "⚑" }) : "",
        element("span", { className: "mark" }))));
    mark(button);
    return element("li", {}, button);
  }

  function mark(button) {
    const i = Number(button.dataset.i);
    const label = LSBG.judgement(i)?.label;
    const badge = button.querySelector(".mark");
    badge.textContent = label ? label[0].toUpperCase() : "";
    badge.dataset.label = label ?? "";
    button.setAttribute("aria-label", LSBG.describe(i) + (label ? `, labelled ${label}` : ""));
  }

  function updateMarks() {
    for (const button of $("cards").querySelectorAll(".card")) mark(button);
  }

  function turn(event) {
    const step = Number(event.target.closest("button")?.value ?? NaN);
    if (!Number.isNaN(step)) turnTo(view.page + step);
  }

  function turnTo(page) {
    view.page = Math.min(Math.max(page, 0), pageCount() - 1);
    view.focus = view.page * pageSize();
    show();
    LSBG.writeState({ push: true });
    $("shown").scrollIntoView({ block: "start" });
  }

  function keys(event) {
    const card = event.target.closest(".card");
    if (card) view.focus = Number(card.dataset.at);
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const label = KEYS[event.key.toLowerCase()];
    if (label && LSBG.shortcuts()) {
      event.preventDefault();
      labelFocused(label);
    } else moveFocus(event);
  }

  // Label the candidate that has the focus; the same label again takes it away.
  async function labelFocused(label) {
    const at = view.focus, i = view.order[at];
    if (!LSBG.hasPosition(i) || !await LSBG.askLabeller()) return;
    LSBG.judge(i, LSBG.judgement(i)?.label === label ? "" : label, LSBG.chosenAs(i));
    focusOn(at);
  }

  // The columns that a candidate can be found by: whole numbers and texts.
  function fillGoto() {
    LSBG.run.columns.forEach((column, number) => {
      if (column.kind !== "text" && column.kind !== "integer") return;
      $("goto-column").append(element("option", { value: String(number), textContent: column.name }));
    });
  }

  // Open the candidate of a row, or of an identifier; say where there is none.
  async function goto(event) {
    event.preventDefault();
    const wanted = $("goto-value").value.trim(), choice = $("goto-column").value;
    if (!wanted) return;
    const i = await candidateOf(choice, wanted);
    const name = choice === "row" ? "Row" : LSBG.run.columns[Number(choice)].name;
    const at = i < 0 ? -1 : view.order.indexOf(i);
    $("goto-said").textContent = i < 0 ? `${name} ${wanted} is not in this report.`
      : at < 0 ? `${name} ${wanted} does not pass the filters.` : "";
    if (at < 0) return;
    if (Math.floor(at / pageSize()) !== view.page) turnTo(Math.floor(at / pageSize()));
    view.focus = at;
    LSBG.openDetail(at);
  }

  async function candidateOf(choice, wanted) {
    if (choice === "row") return LSBG.run.row.indexOf(Number(wanted));
    const column = await LSBG.loadColumn(Number(choice));
    if (column.numbers) return column.numbers.indexOf(Number(wanted));
    const code = column.texts.findIndex((text) => text.trim() === wanted);
    return code < 0 ? -1 : column.codes.indexOf(code);
  }

  // One candidate of the page is in the order of Tab; arrow keys move from there.
  function moveFocus(event) {
    const cards = [...$("cards").querySelectorAll(".card")];
    const top = cards[0]?.getBoundingClientRect().top;
    const perRow = Math.max(1, cards.filter((one) => one.getBoundingClientRect().top === top).length);
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: perRow, ArrowUp: -perRow,
                   Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    focusOn(view.focus + step);
  }

  // Go to a place of the order; the page turns where it must.
  function focusOn(at) {
    const start = view.page * pageSize();
    const end = Math.min(start + pageSize(), view.order.length) - 1;
    if (at === Infinity || at === -Infinity) at = at > 0 ? end : start;
    at = Math.min(Math.max(at, 0), view.order.length - 1);
    const page = Math.floor(at / pageSize());
    if (page !== view.page) turnTo(page);
    view.focus = at;
    for (const button of $("cards").querySelectorAll(".card")) {
      const here = Number(button.dataset.at) === at;
      button.tabIndex = here ? 0 : -1;
      if (here) button.focus();
    }
  }
  LSBG.focusCandidate = focusOn;
})();
