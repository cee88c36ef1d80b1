"use strict";
// The gallery: a page of pictures at a time, by mouse, by arrow keys, and by the keys of labels.

(() => {
  const { element } = LSBG;
  const view = { order: new Uint32Array(0), page: 0, focus: 0 };
  const $ = (id) => document.getElementById(id);
  LSBG.gallery = view;

  LSBG.startGallery = () => {
    for (const pager of document.querySelectorAll(".pager")) pager.addEventListener("click", turn);
    $("cards").addEventListener("click", (event) => {
      const card = event.target.closest(".card");
      if (!card) return;
      const at = Number(card.dataset.at);
      if (event.ctrlKey || event.metaKey || event.shiftKey) LSBG.mark(at, { through: event.shiftKey });
      else LSBG.openDetail(at);
    });
    $("cards").addEventListener("keydown", keys);
    LSBG.onLabels(LSBG.updateMarks);
  };

  // Show what the controls choose, from its first page on.
  LSBG.showSelection = async (page = 0) => {
    const order = await LSBG.selected();
    if (!order) return false;
    view.order = order;
    view.page = Math.min(Math.max(page, 0), pageCount() - 1);
    view.focus = view.page * pageSize();
    show();
    LSBG.drawSky();
    LSBG.writeState();
    return true;
  };

  const asTable = () => $("view").value === "table";
  const pageSize = () => (asTable() ? Infinity : Number($("page-size").value));
  const pageCount = () => Math.max(1, Math.ceil(view.order.length / pageSize()));

  function show() {
    LSBG.forgetPictures();
    $("cards").hidden = asTable();
    $("table").hidden = !asTable();
    if (asTable()) {
      view.page = view.focus = 0;
      $("cards").replaceChildren();
      LSBG.showTable();
    } else showCards();
    tellShown();
  }

  function showCards() {
    const start = view.page * pageSize();
    const part = view.order.subarray(start, start + pageSize());
    $("cards").replaceChildren(...Array.from(part, (i, k) => card(i, start + k)));
  }

  function tellShown() {
    const number = (value) => value.toLocaleString("en");
    const start = asTable() ? 0 : view.page * pageSize();
    const end = Math.min(start + pageSize(), view.order.length);
    const chosen = view.order.length === LSBG.run.size ? "candidates" : `of ${number(LSBG.run.size)} candidates`;
    const where = asTable() ? "" : `, ${number(start + 1)} to ${number(end)} on this page`;
    $("shown").textContent = end > start ? `${number(view.order.length)} ${chosen}${where}`
      : "No candidate passes these filters";
    for (const pager of document.querySelectorAll(".pager")) {
      pager.hidden = pageCount() === 1;
      pager.querySelector("output").textContent = `Page ${number(view.page + 1)} of ${number(pageCount())}`;
      for (const button of pager.querySelectorAll("button")) {
        const back = Number(button.value) < 0;
        button.disabled = view.page === (back ? 0 : pageCount() - 1);
      }
    }
  }

  function card(i, at) {
    const button = element("button", { type: "button", className: "card" });
    button.setAttribute("aria-keyshortcuts", "L A U X N");
    button.dataset.at = at;
    button.dataset.i = i;
    button.tabIndex = at === view.focus ? 0 : -1;
    const other = LSBG.run.other ? ` → ${LSBG.otherText(i)}` : "";
    button.append(LSBG.picture(i), element("span", { className: "caption" },
      element("span", { className: "number", textContent: LSBG.probabilityText(i) + other }),
      element("span", { className: "marks" },
        LSBG.run.flags[i] ? element("span", { className: "flagged", title: "flagged", textContent: "⚑" }) : "",
        element("span", { className: "noted" }), element("span", { className: "mark" }))));
    const item = element("li", {}, button, LSBG.markBox(i, at));
    mark(item);
    return item;
  }

  function mark(item) {
    const button = item.querySelector(".card"), i = Number(button.dataset.i);
    const label = LSBG.judgement(i)?.label, note = LSBG.noteOf(i), marked = LSBG.isMarked(i);
    const badge = button.querySelector(".mark"), noted = button.querySelector(".noted");
    badge.textContent = label ? label[0].toUpperCase() : "";
    badge.dataset.label = label ?? "";
    noted.textContent = note ? "✎" : "";
    noted.title = note;
    item.classList.toggle("marked", marked);
    item.querySelector(".mark-box").checked = marked;
    button.setAttribute("aria-label", LSBG.describe(i) + (label ? `, labelled ${label}` : "")
      + (note ? `, note: ${note}` : "") + (marked ? ", marked" : ""));
  }

  LSBG.updateMarks = () => {
    for (const item of $("cards").children) mark(item);
    if (asTable()) LSBG.refreshTable();
  };

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

  // Turn to the page of a place in the order, without going to it.
  LSBG.turnToCandidate = (at) => {
    const page = asTable() ? 0 : Math.floor(at / pageSize());
    if (page !== view.page) turnTo(page);
    view.focus = at;
  };

  function keys(event) {
    const card = event.target.closest(".card");
    if (!card) return;
    view.focus = Number(card.dataset.at);
    if (!LSBG.candidateKey(event, view.focus)) moveFocus(event);
  }

  // One candidate of the page is in the order of Tab; arrow keys move from there.
  function moveFocus(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
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
    if (asTable()) { LSBG.focusRow(at); return; }
    const start = view.page * pageSize();
    const end = Math.min(start + pageSize(), view.order.length) - 1;
    if (at === Infinity || at === -Infinity) at = at > 0 ? end : start;
    LSBG.turnToCandidate(Math.min(Math.max(at, 0), view.order.length - 1));
    for (const button of $("cards").querySelectorAll(".card")) {
      const here = Number(button.dataset.at) === view.focus;
      button.tabIndex = here ? 0 : -1;
      if (here) button.focus();
    }
  }
  LSBG.focusCandidate = focusOn;
})();
