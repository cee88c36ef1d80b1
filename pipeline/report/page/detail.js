"use strict";
// One candidate of the gallery, large, with all that is known of it.

(() => {
  const { element } = LSBG;
  const $ = (id) => document.getElementById(id);
  let at = 0, i = 0, warm = false, wide = false, overtaken = [];

  LSBG.startDetail = () => {
    const dialog = $("detail");
    $("detail-close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      LSBG.focusCandidate(at);
      LSBG.writeState({ replace: true });
    });
    $("copy-degrees").addEventListener("click", () => LSBG.copy(degrees(), "detail-said"));
    $("copy-sexagesimal").addEventListener("click", () => LSBG.copy(sexagesimal(), "detail-said"));
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    $("detail-previous").addEventListener("click", () => step(-1));
    $("detail-next").addEventListener("click", () => step(1));
    $("detail-heat").addEventListener("change", (event) => { warm = event.target.checked; heat(); });
    $("detail-wide").addEventListener("change", (event) => { wide = event.target.checked; picture(); });
    $("detail-wide-choice").hidden = !LSBG.run.wide;
    $("detail-alike").hidden = !LSBG.hasFeatures();
    $("detail-alike").addEventListener("click", () => LSBG.showAlike(i));
    $("detail-note").addEventListener("change", keepNote);
    $("detail-labels").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) label(button.value);
    });
    dialog.addEventListener("keydown", keys);
  };

  LSBG.openDetail = (place, { push = true } = {}) => {
    show(place);
    if (!$("detail").open) $("detail").showModal();
    $("detail-next").focus();
    LSBG.writeState({ push });
  };

  LSBG.closeDetail = () => { if ($("detail").open) $("detail").close(); };

  // The row that is open, or null.
  LSBG.openRow = () => ($("detail").open ? LSBG.run.row[i] : null);

  function step(by) {
    const last = LSBG.gallery.order.length - 1;
    show(Math.min(Math.max(at + by, 0), last));
    LSBG.writeState({ replace: true });
  }

  const degrees = () => `${LSBG.run.ra[i].toFixed(6)} ${LSBG.run.dec[i].toFixed(6)}`;
  const sexagesimal = () => LSBG.sexagesimal(LSBG.run.ra[i], LSBG.run.dec[i]);

  function show(place) {
    at = place;
    i = LSBG.gallery.order[at];
    overtaken = [];
    $("detail-title").textContent = `Row ${LSBG.run.row[i].toLocaleString("en")}`;
    $("detail-place").textContent =
      `${(at + 1).toLocaleString("en")} of ${LSBG.gallery.order.length.toLocaleString("en")}`;
    $("detail-alike").disabled = !LSBG.run.have[i];
    $("detail-note").value = LSBG.noteOf(i);
    $("detail-note").disabled = !LSBG.hasPosition(i);
    $("detail-links").replaceChildren(...LSBG.links(i).map((link) => element("li", {}, link)));
    $("detail-previous").disabled = at === 0;
    $("detail-next").disabled = at === LSBG.gallery.order.length - 1;
    picture();
    facts();
    labelled();
    values();
  }

  // The cutout, with the heat map where it is asked for; or the wider field.
  function picture() {
    const wider = wide && LSBG.hasWide(i);
    $("detail-wide").disabled = !LSBG.hasWide(i);
    $("detail-wide").checked = wider;
    $("detail-picture").replaceChildren(wider ? LSBG.widePicture(i) : LSBG.picture(i, { alone: true }));
    heat();
  }

  function heat() {
    const can = LSBG.hasHeatMap(i) && !(wide && LSBG.hasWide(i)), shown = warm && can;
    $("detail-heat").disabled = !can;
    $("detail-heat").checked = shown;
    $("detail-legend").hidden = !shown;
    LSBG.showHeatMap($("detail-picture").firstChild, i, shown).catch(() => {});
  }

  async function keepNote() {
    const candidate = i, text = $("detail-note").value.trim();
    if (!await LSBG.askLabeller()) return;
    LSBG.setNote(candidate, text);
    $("detail-said").textContent = LSBG.judgement(candidate) ? "Note kept."
      : "Note kept in this browser; labels are exported with their notes, so label it too.";
  }

  function facts() {
    const pair = (name, value) => [element("dt", { textContent: name }), element("dd", {}, value)];
    const flags = LSBG.flagsOf(LSBG.run.flags[i]);
    const said = flags.length
      ? element("ul", { className: "plain" }, ...flags.map((flag) => element("li", {},
          element("code", { textContent: flag.name }), ` ${flag.description}`)))
      : "none";
    const position = !LSBG.hasPosition(i) ? "none" : element("span", {},
      `${LSBG.run.ra[i].toFixed(6)}°, ${LSBG.run.dec[i].toFixed(6)}°`, element("br"), sexagesimal());
    $("copy-positions").hidden = !LSBG.hasPosition(i);
    const truth = LSBG.run.truth ? ["", "not an LSBG", "LSBG"][LSBG.run.truth[i] + 1] : "";
    $("detail-facts").replaceChildren(
      ...pair("Probability", element("strong", { textContent: LSBG.probabilityText(i) })),
      ...(LSBG.run.other ? pair(`With ${LSBG.run.other.name}`, element("strong", { textContent: LSBG.otherText(i) })) : []),
      ...pair("Flags", said), ...pair("RA, Dec", position), ...(truth ? pair(LSBG.run.truthName, truth) : []));
  }

  function labelled() {
    const label = LSBG.judgement(i)?.label;
    for (const button of $("detail-labels").querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.value === label));
      button.disabled = !LSBG.hasPosition(i);
    }
  }

  // Columns come when they are there; the candidate may have changed by then.
  async function values() {
    const shown = i;
    const fill = () => $("detail-values").replaceChildren(...LSBG.run.columns.map((column, number) =>
      element("tr", {}, element("th", { scope: "row", title: column.description },
        element("bdi", { textContent: column.name })),
        element("td", {}, element("bdi", { textContent: LSBG.valueText(number, shown) })),
        element("td", { className: "unit", textContent: column.unit }))));
    fill();
    await LSBG.loadColumns();
    if (shown === i) fill();
  }

  async function label(value) {
    const candidate = i;
    if (!LSBG.hasPosition(candidate) || !await LSBG.askLabeller()) return;
    const before = LSBG.judge(candidate, value, LSBG.chosenAs(candidate));
    if (candidate !== i) return;  // somebody has gone on meanwhile
    overtaken.push(before);
    labelled();
    $("detail-said").textContent = `Labelled ${value}`;
  }

  function undo() {
    if (!overtaken.length) return;
    const before = overtaken.pop();
    LSBG.judge(i, before?.label ?? "", before?.chosen ?? LSBG.chosenAs(i), before?.time);
    labelled();
    $("detail-said").textContent = "Undone";
  }

  function keys(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("textarea, select, input:not([type=checkbox])")) return;
    if (event.key === "ArrowRight") step(1);
    else if (event.key === "ArrowLeft") step(-1);
    else if (LSBG.shortcuts()) {
      const action = { l: () => label("LSBG"), a: () => label("artifact"), u: () => label("unsure"),
                       z: undo, h: () => $("detail-heat").click(), w: () => $("detail-wide").click(),
                       n: () => $("detail-note").focus(), m: () => $("detail-alike").click() }[event.key.toLowerCase()];
      if (!action) return;
      action();
    } else return;
    event.preventDefault();
  }
})();
