"use strict";
// The gallery: which candidates are shown, in which order, a page at a time.

(() => {
  const { element } = LSBG;
  const NUMBERS = { probability: "probability", row: "row", ra: "right ascension", dec: "declination" };
  const view = { order: new Uint32Array(0), page: 0, focus: 0 };
  const $ = (id) => document.getElementById(id);
  LSBG.gallery = view;

  LSBG.startGallery = () => {
    fillChoices();
    $("gallery-controls").addEventListener("input", (event) => {
      if (event.target.matches(".look input")) return;
      if (event.target.id === "add-filter") addFilter(event.target);
      else apply();
    });
    $("gallery-controls").addEventListener("submit", (event) => event.preventDefault());
    $("clear").addEventListener("click", reset);
    for (const pager of document.querySelectorAll(".pager")) pager.addEventListener("click", turn);
    $("cards").addEventListener("click", (event) => {
      const card = event.target.closest(".card");
      if (card) LSBG.openDetail(Number(card.dataset.at));
    });
    $("cards").addEventListener("keydown", moveFocus);
    LSBG.onLabels(updateMarks);
    apply();
  };

  function fillChoices() {
    const sort = $("sort"), add = $("add-filter");
    const option = (value, text) => element("option", { value, textContent: text });
    for (const [name, text] of Object.entries(NUMBERS)) sort.append(option(name, text));
    LSBG.run.columns.forEach((column, number) => {
      sort.append(option(`column ${number}`, column.name));
      add.append(option(String(number), column.name));
    });
    add.hidden = add.labels[0].hidden = !LSBG.run.columns.length;
    const present = LSBG.run.flags.reduce((all, value) => all | value, 0);
    for (const flag of LSBG.flagsOf(present)) {
      $("flag").append(option(`with ${flag.bit}`, `with ${flag.name}`),
                       option(`without ${flag.bit}`, `without ${flag.name}`));
    }
    $("truth-choice").hidden = !LSBG.run.truth;
  }

  function addFilter(choice) {
    const number = Number(choice.value);
    choice.value = "";
    if (!document.querySelector(`#filters [data-column="${number}"]`)) {
      $("filters").append(filterControl(number));
    }
    $("filters").querySelector(`[data-column="${number}"] input`).focus();
    apply();
  }

  function filterControl(number) {
    const { name, unit, kind } = LSBG.run.columns[number];
    const box = element("fieldset", { className: "filter" },
      element("legend", { textContent: unit ? `${name} (${unit})` : name }));
    box.dataset.column = number;
    const label = (text, input) => element("label", {}, element("span", { textContent: text }), input);
    if (kind === "text") {
      box.append(label("contains", element("input", { type: "search", className: "contains" })));
    } else {
      for (const bound of ["from", "to"]) {
        box.append(label(bound, element("input", { type: "number", step: "any", className: bound })));
      }
    }
    const remove = element("button", { type: "button", className: "quiet", textContent: "×" });
    remove.setAttribute("aria-label", `Remove the filter of ${name}`);
    remove.addEventListener("click", () => { box.remove(); apply(); $("add-filter").focus(); });
    box.append(remove);
    return box;
  }

  function reset() {
    $("gallery-controls").reset();
    $("filters").replaceChildren();
    apply();
  }

  // A range of numbers; NaN passes only where nothing is asked.
  function range(values, from, to) {
    if (Number.isNaN(from) && Number.isNaN(to)) return null;
    const low = Number.isNaN(from) ? -Infinity : from, high = Number.isNaN(to) ? Infinity : to;
    return (i) => values[i] >= low && values[i] <= high;
  }

  function flagTest(choice) {
    const flags = LSBG.run.flags;
    if (choice === "none") return (i) => flags[i] === 0;
    const [kind, bit] = choice.split(" ");
    if (kind === "with") return (i) => (flags[i] & bit) !== 0;
    return kind === "without" ? (i) => (flags[i] & bit) === 0 : null;
  }

  function labelTest(choice) {
    if (!choice) return null;
    return (i) => (LSBG.judgement(i)?.label ?? "none") === choice;
  }

  async function columnTest(box) {
    const contains = box.querySelector(".contains");
    const bounds = ["from", "to"].map((name) => box.querySelector(`.${name}`)?.valueAsNumber);
    if (contains ? !contains.value : bounds.every(Number.isNaN)) return null;
    const column = await LSBG.loadColumn(Number(box.dataset.column));
    if (!contains) return range(column.numbers, ...bounds);
    const wanted = contains.value.toLowerCase();
    const passes = column.texts.map((text) => text.toLowerCase().includes(wanted));
    return (i) => column.codes[i] >= 0 && passes[column.codes[i]];
  }

  async function tests() {
    const truth = $("truth").value;
    const columns = [...document.querySelectorAll("#filters .filter")].map(columnTest);
    return [
      range(LSBG.run.probability, $("p-from").valueAsNumber, $("p-to").valueAsNumber),
      flagTest($("flag").value),
      labelTest($("label-choice").value),
      truth && LSBG.run.truth ? (i) => LSBG.run.truth[i] === Number(truth) : null,
      ...await Promise.all(columns),
    ].filter(Boolean);
  }

  async function sortKeys() {
    const choice = $("sort").value;
    if (choice in NUMBERS) return LSBG.run[choice];
    const column = await LSBG.loadColumn(Number(choice.split(" ")[1]));
    return column.numbers ?? Float64Array.from(column.codes, (code) => (code < 0 ? NaN : code));
  }

  let latest = 0;
  async function apply() {
    const mine = ++latest;
    const [passes, keys] = await Promise.all([tests(), sortKeys()]);
    if (mine !== latest) return;  // overtaken by a later change
    const sign = $("descending").value === "true" ? -1 : 1;
    const kept = Uint32Array.from({ length: LSBG.run.size }, (_, i) => i)
      .filter((i) => passes.every((test) => test(i)));
    const alreadySorted = keys === LSBG.run.probability && sign === -1;
    if (!alreadySorted) {
      kept.sort((a, b) => {
        const x = keys[a], y = keys[b];
        if (x !== x || y !== y) return (x !== x) - (y !== y) || a - b;
        return sign * (x - y) || a - b;
      });
    }
    view.order = kept;
    view.page = view.focus = 0;
    show();
  }

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
    $("shown").scrollIntoView({ block: "start" });
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
