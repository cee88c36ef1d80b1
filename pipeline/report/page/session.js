"use strict";
// Who labels what; and a session of labels, to go on with on another machine.

(() => {
  const $ = (id) => document.getElementById(id);
  const KIND = "lsbg labelling session";
  const EVERYBODY = -1;

  // The number of a labeller among those that the report was made for; -1: of nobody's.
  const numberOf = (name) => (LSBG.run.labellers ?? []).findIndex(
    (one) => one.toLocaleLowerCase() === name.toLocaleLowerCase());

  // The candidates of the set for learning that this labeller sees, in their order.
  LSBG.queue = (labeller = LSBG.labeller()) => {
    const { toLabel, queue } = LSBG.run, number = numberOf(labeller);
    return Array.from(toLabel).filter((_, place) => number < 0
      || queue[place] === EVERYBODY || queue[place] === number);
  };

  // What a label remembers of how it was given.
  LSBG.circumstances = () => ({
    report: LSBG.run.id,
    weights: LSBG.run.weights ?? "",
    blind: LSBG.view() === "label" && $("blind").checked,
  });

  LSBG.startSession = () => {
    $("import").accept = ".csv,.json,text/csv,application/json";
    $("export").after(LSBG.element("button", {
      type: "button", id: "save-session", textContent: "Save session",
      title: "Save all labels and your place in the set, to go on on another machine: Import opens it",
      onclick: save,
    }));
  };

  function save() {
    const session = {
      kind: KIND, version: 1, report: LSBG.run.id, catalog: LSBG.run.name,
      labeller: LSBG.labeller(), ...LSBG.labellingPlace(), labels: LSBG.allJudgements(),
    };
    LSBG.download("session.json", JSON.stringify(session, null, 1));
  }

  LSBG.isSession = (text) => text.trimStart().startsWith("{");

  // Take in a session; gives its labels as fromCsv does, the labeller, and the place to go on at.
  LSBG.readSession = (text) => {
    let session;
    try {
      session = JSON.parse(text);
    } catch {
      throw new Error("it is damaged");
    }
    if (session.kind !== KIND || !Array.isArray(session.labels)) throw new Error("it is no session of labels");
    const header = ["ra", "dec", "label", "labeller", "time", "chosen", "report", "weights", "blind", "note"];
    const cell = (value) => (typeof value === "boolean" ? Number(value) : value ?? "");
    const rows = session.labels.map((one) => header.map((name) => (
      name === "ra" || name === "dec" ? Number(one[name]).toFixed(7) : cell(one[name]))));
    return { csv: LSBG.csvText([header, ...rows]), labeller: String(session.labeller ?? ""),
             set: session.set, row: session.report === LSBG.run.id ? session.row : undefined };
  };
})();
