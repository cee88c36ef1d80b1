"use strict";
// Which candidates the gallery shows, and in which order: filters, sorting, and their names in the
// address of the page.

(() => {
  const { element } = LSBG;
  const NUMBERS = { probability: "probability", row: "row", ra: "right ascension", dec: "declination" };
  const $ = (id) => document.getElementById(id);
  // Names in the address, and the control and value at the start of each.
  const CONTROLS = { sort: "sort", order: "descending", from: "p-from", to: "p-to", flag: "flag",
                     label: "label-choice", truth: "truth", weights: "weights-choice", view: "view",
                     count: "page-size", "ra-from": "ra-from", "ra-to": "ra-to",
                     "dec-from": "dec-from", "dec-to": "dec-to" };

  LSBG.startSelection = () => {
    fillChoices();
    $("gallery-controls").addEventListener("submit", (event) => event.preventDefault());
    $("gallery-controls").addEventListener("input", (event) => {
      if (event.target.matches("[data-look], #thumb-size, #threshold, .goto *, .mark-box")) return;
      if (event.target.id === "add-filter") addFilter(event.target);
      else LSBG.showSelection();
    });
    $("clear").addEventListener("click", () => {
      reset();
      LSBG.resetLook();
      LSBG.resetThreshold();
      LSBG.showSelection();
    });
  };

  function fillChoices() {
    const sort = $("sort"), add = $("add-filter");
    const option = (value, text) => element("option", { value, textContent: text });
    for (const [name, text] of Object.entries(NUMBERS)) sort.append(option(name, text));
    if (LSBG.run.odd) sort.append(option("odd", "unlike the training set"));
    if (LSBG.run.other) sort.append(option("difference", "difference of the weights"));
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
    LSBG.showSelection();
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
    remove.addEventListener("click", () => { box.remove(); LSBG.showSelection(); $("add-filter").focus(); });
    box.append(remove);
    return box;
  }

  function reset() {
    for (const id of Object.values(CONTROLS)) $(id).value = startOf($(id));
    $("filters").replaceChildren();
  }

  // What is chosen, for the address: only what differs from the start.
  LSBG.selectionState = () => {
    const state = {};
    for (const [name, id] of Object.entries(CONTROLS)) {
      const control = $(id);
      if (control.value !== startOf(control)) state[name] = control.value;
    }
    if (state.sort?.startsWith("column ")) {
      state.sort = `column ${LSBG.run.columns[Number(state.sort.slice(7))].name}`;
    }
    for (const box of document.querySelectorAll("#filters .filter")) {
      const { name } = LSBG.run.columns[box.dataset.column];
      const values = ["from", "to", "contains"].map((part) => box.querySelector(`.${part}`)?.value ?? "");
      state[`column ${name}`] = values.join(";");
    }
    return state;
  };

  const startOf = (control) => control.tagName !== "SELECT" ? control.defaultValue
    : ([...control.options].find((one) => one.defaultSelected) ?? control.options[0]).value;

  // Choose what an address says; what it does not name is as at the start.
  LSBG.setSelectionState = (state) => {
    reset();
    const numberOf = (name) => LSBG.run.columns.findIndex((column) => column.name === name);
    for (const [name, value] of Object.entries(state)) {
      if (name.startsWith("column ")) {
        const number = numberOf(name.slice(7));
        if (number < 0) continue;
        const box = filterControl(number);
        $("filters").append(box);
        const [from, to, ...rest] = value.split(";");
        for (const [part, text] of [["from", from], ["to", to], ["contains", rest.join(";")]]) {
          const input = box.querySelector(`.${part}`);
          if (input) input.value = text ?? "";
        }
      } else if (name in CONTROLS) {
        const column = name === "sort" && value.startsWith("column ") ? numberOf(value.slice(7)) : -1;
        setControl($(CONTROLS[name]), column < 0 ? value : `column ${column}`);
      }
    }
  };

  function setControl(control, value) {
    if (control.id === "sort" && /^like \d+$/.test(value) && LSBG.hasFeatures()) LSBG.likenessOption(value.slice(5));
    const known = control.tagName !== "SELECT" || [...control.options].some((one) => one.value === value);
    if (known) control.value = value;
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
    if (choice === "note") return (i) => LSBG.noteOf(i) !== "";
    if (choice === "marked") return LSBG.isMarked;
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
      LSBG.skyTest(),
      ...await Promise.all([LSBG.weightsTest($("weights-choice").value), ...columns]),
    ].filter(Boolean);
  }

  async function sortKeys(choice) {
    if (choice in NUMBERS) return LSBG.run[choice];
    if (choice === "odd") return LSBG.loadValues("odd");
    if (choice === "difference") return LSBG.differences();
    if (choice.startsWith("like ")) return LSBG.likenessTo(LSBG.run.row.indexOf(Number(choice.slice(5))));
    const column = await LSBG.loadColumn(Number(choice.split(" ")[1]));
    return column.numbers ?? Float64Array.from(column.codes, (code) => (code < 0 ? NaN : code));
  }

  // All candidates by their keys, those without one last; the last few orders are kept.
  const orders = new Map();
  async function ordered(choice, descending) {
    const name = `${choice} ${descending}`;
    if (!orders.has(name)) {
      const keys = await sortKeys(choice), sign = descending ? -1 : 1;
      const all = Uint32Array.from({ length: LSBG.run.size }, (_, i) => i);
      if (!(choice === "probability" && descending)) {  // they come in this order
        all.sort((a, b) => {
          const x = keys[a], y = keys[b];
          if (x !== x || y !== y) return (x !== x) - (y !== y) || a - b;
          return sign * (x - y) || a - b;
        });
      }
      if (orders.size >= 8) orders.delete(orders.keys().next().value);
      orders.set(name, all);
    }
    return orders.get(name);
  }

  // The candidates that pass, in their order; null where a later choice has overtaken this one.
  let latest = 0;
  LSBG.selected = async () => {
    const mine = ++latest, choice = $("sort").value, descending = $("descending").value === "true";
    const [passes, order] = await Promise.all([tests(), ordered(choice, descending)]);
    if (mine !== latest) return null;
    return passes.length ? order.filter((i) => passes.every((test) => test(i))) : order;
  };
})();
