"use strict";
// Marked candidates, and labels and notes for many at once: of those marked, or else of all that
// pass the filters; with undo.

(() => {
  const { element } = LSBG;
  const $ = (id) => document.getElementById(id);
  const marked = new Set();
  const undone = [];  // what each step replaced: candidates with their labels and notes
  let last = null, targets = [];

  LSBG.isMarked = (i) => marked.has(i);
  LSBG.markedCount = () => marked.size;

  // The candidates that export, labels and notes are about, in their order.
  LSBG.chosenCandidates = () => {
    const order = Array.from(LSBG.gallery.order);
    return marked.size ? order.filter((i) => marked.has(i)) : order;
  };

  LSBG.startMarks = () => {
    $("label-many").addEventListener("click", () => openMany(LSBG.chosenCandidates()));
    $("unmark").addEventListener("click", () => { marked.clear(); changed(); });
    $("many-cancel").addEventListener("click", () => $("many").close());
    $("many-labels").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) finish(button.value);
    });
    $("many-keep").addEventListener("click", () => finish(null));
    $("many-none").addEventListener("click", () => finish(""));
    $("undo-many").addEventListener("click", LSBG.undo);
    changed();
  };

  // Mark a candidate or take its mark away; with `through`, all from the last one to it.
  LSBG.mark = (at, { through = false } = {}) => {
    const { order } = LSBG.gallery;
    if (through && last !== null && last < order.length) {
      for (let k = Math.min(last, at); k <= Math.max(last, at); k++) marked.add(order[k]);
    } else if (!marked.delete(order[at])) marked.add(order[at]);
    last = at;
    changed();
  };

  function changed() {
    const many = marked.size.toLocaleString("en");
    $("marked-said").textContent = marked.size ? `${many} marked.` : "";
    $("unmark").hidden = !marked.size;
    $("export-selection").textContent = marked.size ? `Export ${many} marked` : "Export selection";
    $("label-many").textContent = marked.size ? `Label ${many} marked` : "Label all shown";
    LSBG.updateMarks();
  }

  // Ask for the label and the note of some candidates; the dialog says how many they are.
  async function openMany(candidates) {
    if (!await LSBG.askLabeller()) return;
    targets = candidates.filter(LSBG.hasPosition);
    const many = targets.length.toLocaleString("en");
    const which = targets.length === 1 ? `Row ${LSBG.run.row[targets[0]].toLocaleString("en")}`
      : marked.size ? `The ${many} marked candidates` : `All ${many} candidates that pass the filters`;
    $("many-title").textContent = which;
    $("many-note").value = targets.length === 1 ? LSBG.noteOf(targets[0]) : "";
    $("many").showModal();
    (targets.length === 1 ? $("many-note") : $("many-cancel")).focus();
  }

  // Write a note on the focused candidate, or on those that are marked.
  LSBG.openNote = (i) => openMany(marked.size ? LSBG.chosenCandidates() : [i]);

  // Give a label ("": take it away; null: keep it), and the note where there is one.
  function finish(label) {
    $("many").close();
    const text = $("many-note").value.trim(), one = targets.length === 1;
    const note = one || text ? text : undefined;
    give(targets.map((i) => ({ i, label: label ?? LSBG.judgement(i)?.label ?? "", note })));
    const many = one ? "1 candidate" : `${targets.length.toLocaleString("en")} candidates`;
    const what = label === null ? "Note kept for" : label ? `Labelled ${label}:` : "Labels taken away:";
    LSBG.tell(`${what} ${many}.`);
  }

  // Label some candidates as one step of undo.
  function give(all) {
    undone.push(all.map(({ i }) => {
      const before = LSBG.judgement(i);
      return { i, label: before?.label ?? "", time: before?.time, note: LSBG.noteOf(i),
               chosen: before?.chosen ?? LSBG.chosenAs(i) };
    }));
    LSBG.judgeAll(all.map((one) => ({ ...one, chosen: LSBG.chosenAs(one.i) })));
  }

  // Label one candidate; the same label again takes it away.
  LSBG.toggleLabel = async (i, label) => {
    if (!LSBG.hasPosition(i) || !await LSBG.askLabeller()) return;
    give([{ i, label: LSBG.judgement(i)?.label === label ? "" : label }]);
    LSBG.tell(LSBG.judgement(i) ? `Row ${LSBG.run.row[i]}: labelled ${label}.`
      : `Row ${LSBG.run.row[i]}: label taken away.`);
  };

  // Take back the last label, or the last labels that were given together.
  LSBG.undo = () => {
    const step = undone.pop();
    if (!step) return;
    LSBG.judgeAll(step);
    LSBG.tell(step.length === 1 ? "Undone: 1 candidate." : `Undone: ${step.length.toLocaleString("en")} candidates.`);
  };

  LSBG.tell = (text) => {
    $("many-said").textContent = text;
    $("undo-many").hidden = !undone.length;
  };

  // A box that marks a candidate, for the mouse and the finger; keys do it by X.
  LSBG.markBox = (i, at) => {
    const box = element("input", { type: "checkbox", className: "mark-box", checked: marked.has(i), tabIndex: -1 });
    box.setAttribute("aria-label", `Mark row ${LSBG.run.row[i]}`);
    box.dataset.mark = at;
    box.addEventListener("click", (event) => {
      LSBG.mark(at, { through: event.shiftKey });
      box.checked = marked.has(i);
    });
    return box;
  };

  // What the keys of labels, marks and notes do to the candidate that has the focus.
  const LABELS = { l: "LSBG", a: "artifact", u: "unsure" };
  LSBG.candidateKey = (event, at) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !LSBG.shortcuts()) return false;
    const key = event.key.toLowerCase(), i = LSBG.gallery.order[at];
    const action = LABELS[key] ? () => LSBG.toggleLabel(i, LABELS[key]).then(() => LSBG.focusCandidate(at))
      : { x: () => LSBG.mark(at, { through: event.shiftKey }), n: () => LSBG.openNote(i), z: LSBG.undo,
          m: () => { if (LSBG.hasFeatures()) LSBG.showAlike(i); } }[key];
    if (!action) return false;
    event.preventDefault();
    action();
    return true;
  };
})();
