"use strict";
// All judgements: kept in the browser as they are made, merged with those of other pages and people.

(() => {
  const SAME = 0.5, WIDEST = 5;  // arcseconds within which two positions are one
  const judgements = new Map();  // by object and labeller
  const listeners = [];
  let storage = null, problem = "", exported = true, byDec = null, sets = null;

  const storageKey = () => `lsbg-labels:${LSBG.run.id}`;
  const objectKey = (ra, dec) => `${ra.toFixed(7)},${dec.toFixed(7)}`;
  LSBG.objectKey = objectKey;
  const key = (one) => `${objectKey(one.ra, one.dec)}\n${one.labeller}`;

  LSBG.onLabels = (listener) => listeners.push(listener);
  const changed = () => { for (const listener of listeners) listener(); };

  LSBG.labeller = () => problem ? LSBG.labellerOnce ?? "" : storage.getItem("lsbg-labeller") ?? "";
  LSBG.setLabeller = (name) => {
    LSBG.labellerOnce = name;
    if (!problem) storage.setItem("lsbg-labeller", name);
    changed();
  };
  LSBG.storageProblem = () => problem;
  LSBG.unexported = () => problem !== "" && !exported;

  LSBG.openLabels = () => {
    try {
      storage = window.localStorage;
      storage.setItem("lsbg-test", "");
      storage.removeItem("lsbg-test");
    } catch {
      problem = "This browser keeps nothing for this page (private mode?): export your labels " +
        "before you close or reload it.";
      return;
    }
    window.addEventListener("storage", (event) => {
      if (event.key === storageKey() && read()) changed();
    });
    read();
  };

  // Take in what the browser keeps; where two differ, the later change counts.
  function read() {
    const text = storage.getItem(storageKey());
    if (text === null) return false;
    try {
      for (const [ra, dec, label, labeller, time, chosen, at, note = "", how = {}] of JSON.parse(text)) {
        put({ ra, dec, label, labeller, time, chosen, at, note, ...how });
      }
    } catch {
      storage.setItem(`${storageKey()}:damaged:${Date.now()}`, text);
      problem = "The labels that this browser kept are damaged; a copy was set aside. Import " +
        "your last export, and export again before you close this page.";
    }
    return true;
  }

  function put(one) {
    const old = judgements.get(key(one));
    if (!old || old.at <= one.at) judgements.set(key(one), one);
  }

  function save() {
    exported = false;
    if (!problem) {
      try {
        read();
        storage.setItem(storageKey(), JSON.stringify([...judgements.values()].map(
          (one) => [one.ra, one.dec, one.label, one.labeller, one.time, one.chosen, one.at, one.note ?? "",
                    { report: one.report, weights: one.weights, blind: one.blind }])));
      } catch {
        problem = "This browser has no more room for labels: export them before you close or " +
          "reload this page.";
      }
    }
    changed();
  }

  // The judgement of a candidate by one labeller, or undefined.
  LSBG.judgement = (i, labeller = LSBG.labeller()) => {
    const found = recordOf(i, labeller);
    return found?.label ? found : undefined;
  };

  function recordOf(i, labeller = LSBG.labeller()) {
    if (!LSBG.hasPosition(i)) return undefined;
    return judgements.get(`${objectKey(LSBG.run.ra[i], LSBG.run.dec[i])}\n${labeller}`);
  }

  // Judge; an empty label withdraws the judgement. Gives what was there before, for undo.
  LSBG.judge = (i, label, chosen, time) => {
    const before = LSBG.judgement(i);
    LSBG.judgeAll([{ i, label, chosen, time }]);
    return before;
  };

  // Judge many, and keep them at once: { i, label, chosen, time, note }; a note that is not named
  // stays as it was, and so does how a label was given whose time is that of before.
  LSBG.judgeAll = (all) => {
    const now = new Date().toISOString(), labeller = LSBG.labeller();
    for (const { i, label, chosen, time, note } of all) {
      const old = recordOf(i, labeller), { report, weights, blind } = (time && old) || LSBG.circumstances();
      put({ ra: LSBG.run.ra[i], dec: LSBG.run.dec[i], label, labeller, time: time ?? now, chosen,
            report, weights, blind,
            note: note ?? old?.note ?? "", at: Math.max(Date.now(), (old?.at ?? 0) + 1) });
    }
    save();
  };

  // The note on a candidate by this labeller, whether it has a label or not.
  LSBG.noteOf = (i) => recordOf(i)?.note ?? "";
  LSBG.setNote = (i, note) => {
    const { label = "", chosen = LSBG.chosenAs(i), time } = recordOf(i) ?? {};
    LSBG.judgeAll([{ i, label, chosen, time, note }]);
  };

  // Why a candidate is shown, as its label says it. A correction keeps what was said before; in the
  // set for learning a label that was given in browsing is given again, for the half it is in.
  LSBG.chosenAs = (i, { learning = false } = {}) => {
    const before = LSBG.judgement(i)?.chosen;
    if (before && before !== "browsed") return before;
    return (learning && halves().get(i)) || "browsed";
  };

  function halves() {
    sets ??= new Map(Array.from(LSBG.run.toLabel, (i, place) => [
      i, LSBG.run.isRandom[place] ? "random" : LSBG.run.teachAs ?? "uncertain"]));
    return sets;
  }

  LSBG.allJudgements = () => [...judgements.values()].filter((one) => one.label)
    .sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));

  LSBG.exportLabels = () => {
    LSBG.download("labels.csv", LSBG.toCsv(LSBG.allJudgements()));
    exported = true;
  };

  // Arcseconds within which a label is of a candidate: more where positions were rounded, but not
  // where a neighbour could be meant as well.
  function matchRadius(decimals) {
    const moved = Math.SQRT2 * 1800 * 10 ** -decimals;
    return moved <= SAME || moved > WIDEST ? SAME : moved;
  }

  // Add the judgements of a CSV file; gives how many there are, how many lie in the gallery, and
  // within which radius in arcseconds they were matched.
  LSBG.importLabels = (text, name) => {
    const found = LSBG.fromCsv(text, name);
    const radius = found.length ? matchRadius(found[0].decimals) : SAME;
    let here = 0;
    for (const { decimals, ...one } of found) {
      const i = candidateAt(one.ra, one.dec, radius / 3600);
      if (i >= 0) {
        here++;
        one.ra = LSBG.run.ra[i];
        one.dec = LSBG.run.dec[i];
      }
      put(one);
    }
    save();
    return { count: found.length, here, radius, rounded: radius > SAME };
  };

  // The candidate nearest to a position, within degrees; -1 where none is, or several are and
  // none is within half an arcsecond.
  function candidateAt(ra, dec, reach) {
    const run = LSBG.run;
    byDec ??= Uint32Array.from({ length: run.size }, (_, i) => i).filter(LSBG.hasPosition)
      .sort((a, b) => run.dec[a] - run.dec[b]);
    let low = 0, high = byDec.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (run.dec[byDec[middle]] < dec - reach) low = middle + 1; else high = middle;
    }
    let best = -1, nearest = Infinity, second = Infinity;
    for (; low < byDec.length && run.dec[byDec[low]] <= dec + reach; low++) {
      const i = byDec[low];
      const along = (((run.ra[i] - ra + 540) % 360) - 180) * Math.cos(dec * Math.PI / 180);
      const distance = Math.hypot(along, run.dec[i] - dec);
      if (distance > reach) continue;
      if (distance < nearest) { second = nearest; best = i; nearest = distance; }
      else if (distance < second) second = distance;
    }
    return nearest > SAME / 3600 && second <= reach ? -1 : best;
  }
})();
