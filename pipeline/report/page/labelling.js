"use strict";
// The labelling page: one candidate after the other, by keyboard.

(() => {
  const $ = (id) => document.getElementById(id);
  let order = [], at = 0, objects = new Set();
  const done = [];  // for undo: place, and what the judgement replaced

  LSBG.startLabelling = () => {
    $("label-set").addEventListener("change", begin);
    $("blind").addEventListener("change", show);
    $("label-heat").addEventListener("change", show);
    $("label-wide").addEventListener("change", show);
    $("label-wide-choice").hidden = !LSBG.run.wide;
    $("label-note").addEventListener("change", keepNote);
    $("label-buttons").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) label(button.value);
    });
    $("back").addEventListener("click", () => go(at - 1));
    $("skip").addEventListener("click", () => go(at + 1));
    $("undo").addEventListener("click", undo);
    $("export").addEventListener("click", LSBG.exportLabels);
    $("import").addEventListener("change", take);
    $("change-labeller").addEventListener("click", async () => {
      if (await LSBG.askLabeller(true)) begin();
    });
    document.addEventListener("keydown", keys);
    window.addEventListener("beforeunload", (event) => {
      if (LSBG.unexported()) event.preventDefault();
    });
    LSBG.startSession();
    LSBG.onLabels(counts);
    counts();
  };

  LSBG.openLabelling = async () => {
    if (await LSBG.askLabeller()) begin();
    else location.hash = document.querySelector('nav a[data-view="gallery"]').getAttribute("href");
  };

  LSBG.shortcuts = () => $("shortcuts").checked;

  const chosenAs = (i) => LSBG.chosenAs(i, { learning: forLearning() });
  // In the set for learning, a label that was given in browsing does not count: it was not blind.
  const isJudged = (i) => {
    const judgement = LSBG.judgement(i);
    return judgement && !(forLearning() && judgement.chosen === "browsed");
  };
  const forLearning = () => $("label-set").value === "learning";
  // Where this labeller is: which set, and the row of the candidate that is shown.
  LSBG.labellingPlace = () => ({
    set: $("label-set").value, row: at < order.length ? LSBG.run.row[order[at]] : undefined,
  });

  // Go on with a session that was begun elsewhere.
  function goOn({ labeller, set, row }) {
    if (labeller) LSBG.setLabeller(labeller);
    if (set) $("label-set").value = set;
    begin();
    const place = order.findIndex((i) => LSBG.run.row[i] === row);
    if (place >= 0) go(place);
  }

  // Start at the first candidate that this labeller has not judged.
  function begin() {
    order = (forLearning() ? LSBG.queue() : Array.from(LSBG.gallery.order))
      .filter(LSBG.hasPosition);
    objects = new Set(order.map((i) => LSBG.objectKey(LSBG.run.ra[i], LSBG.run.dec[i])));
    done.length = 0;
    at = order.findIndex((i) => !isJudged(i));
    if (at < 0) at = order.length;
    show();
    $("label-title").focus();
  }

  function go(place) {
    at = Math.min(Math.max(place, 0), order.length);
    show();
  }

  function show() {
    const blind = $("blind").checked, finished = at >= order.length;
    $("finished").hidden = !finished;
    $("judging").hidden = finished;
    $("back").disabled = at === 0;
    $("skip").disabled = finished;
    $("undo").disabled = !done.length;
    for (const button of $("label-buttons").querySelectorAll("button")) button.disabled = finished;
    $("label-heat-choice").hidden = blind;
    $("label-legend").hidden = blind || !$("label-heat").checked;
    counts();
    if (finished) return;
    const i = order[at], wide = $("label-wide").checked && LSBG.hasWide(i);
    const picture = wide ? LSBG.widePicture(i) : LSBG.picture(i, { alone: true });
    $("label-picture").replaceChildren(picture);
    $("place").textContent = `Candidate ${(at + 1).toLocaleString("en")} of ${order.length.toLocaleString("en")}`;
    const label = LSBG.judgement(i)?.label;
    for (const button of $("label-buttons").querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.value === label));
    }
    $("not-blind").textContent = blind ? "" : `${LSBG.describe(i)}`;
    $("label-note").value = LSBG.noteOf(i);
    if (!blind && !wide && $("label-heat").checked) LSBG.showHeatMap(picture, i, true).catch(() => {});
    for (const next of order.slice(at + 1, at + 6)) LSBG.prefetch(next);
  }

  function label(value) {
    if (at >= order.length) return;
    done.push([at, LSBG.judge(order[at], value, chosenAs(order[at]))]);
    $("label-said").textContent = `Labelled ${value}.`;
    go(at + 1);
  }

  function keepNote() {
    if (at >= order.length) return;
    LSBG.setNote(order[at], $("label-note").value.trim());
    $("label-said").textContent = "Note kept.";
  }

  function undo() {
    if (!done.length) return;
    const [place, before] = done.pop();
    LSBG.judge(order[place], before?.label ?? "", before?.chosen ?? chosenAs(order[place]), before?.time);
    $("label-said").textContent = "Undone.";
    go(place);
  }

  function counts() {
    const all = LSBG.allJudgements();
    const mine = all.filter((one) => one.labeller === LSBG.labeller());
    const number = (label) => mine.filter((one) => one.label === label).length;
    $("labeller").textContent = LSBG.labeller() || "nobody yet";
    for (const label of LSBG.LABELS) $(`count-${label}`).textContent = number(label);
    const others = new Set(all.map((one) => one.labeller)).size - (mine.length ? 1 : 0);
    $("others").textContent = others
      ? `${all.length - mine.length} labels of ${others} other${others > 1 ? "s" : ""}` : "";
    const judged = mine.filter((one) => objects.has(LSBG.objectKey(one.ra, one.dec))).length;
    $("progress").max = Math.max(order.length, 1);
    $("progress").value = judged;
    $("progress-text").textContent = order.length ? `${judged} of ${order.length} labelled` : "";
    $("export").disabled = !all.length;
    $("storage-problem").textContent = LSBG.storageProblem();
    $("storage-problem").hidden = !LSBG.storageProblem();
  }

  async function take(event) {
    const said = $("import-said");
    for (const file of event.target.files) {
      try {
        const text = await file.text(), session = LSBG.isSession(text) ? LSBG.readSession(text) : null;
        const { count, here, radius, rounded } = LSBG.importLabels(session?.csv ?? text, file.name);
        if (session) goOn(session);
        said.textContent = `${file.name}: ${count} labels, ${here} of candidates in this report`
          + (rounded ? `, matched within ${radius.toFixed(1)}" because positions are rounded.` : ".");
      } catch (error) {
        said.textContent = `${file.name} was not imported: ${error.message}.`;
      }
    }
    event.target.value = "";
    show();
  }

  function keys(event) {
    const typing = event.target.closest?.("input:not([type=checkbox]):not([type=range]), select, textarea, dialog");
    if ($("label").hidden || typing || !LSBG.shortcuts()) return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const action = {
      l: () => label("LSBG"), a: () => label("artifact"), u: () => label("unsure"),
      backspace: () => go(at - 1), arrowleft: () => go(at - 1), arrowright: () => go(at + 1),
      z: undo, h: () => { if (!$("blind").checked) $("label-heat").click(); },
      w: () => { if (LSBG.run.wide) $("label-wide").click(); }, n: () => $("label-note").focus(),
    }[event.key.toLowerCase()];
    if (!action || (event.target.type === "range" && event.key.startsWith("Arrow"))) return;
    event.preventDefault();
    action();
  }
})();
