"use strict";
// The report's data. Files in the folder data/ hand it over by LSBG.receive(name, value), because
// a page on disk may load scripts from its own folder, but read nothing else.

const LSBG = {};

(() => {
  const kinds = { Float32: Float32Array, Float64: Float64Array, Int32: Int32Array,
                  Int16: Int16Array, Int8: Int8Array, Uint8: Uint8Array };
  const received = new Map();
  const waiting = new Map();

  LSBG.unpack = ([kind, text]) => {
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
    return new kinds[kind](bytes.buffer);
  };

  LSBG.receive = (name, value) => {
    if (name === "run") start(value);
    else if (name === "column") received.set(`column ${value[0]}`, unpackColumn(value[1]));
    else if (name === "heat") received.set(`heat ${value[0]}`, LSBG.unpack(value[1]));
    else received.set(name, LSBG.unpack(value));
  };

  function start(run) {
    LSBG.run = run;
    for (const name of ["row", "ra", "dec", "probability", "flags", "have", "toLabel", "isRandom", "queue"]) {
      run[name] = LSBG.unpack(run[name]);
    }
    for (const name of ["truth", "wide"]) run[name] = run[name] && LSBG.unpack(run[name]);
    run.size = run.row.length;
  }

  function unpackColumn(column) {
    if (column.numbers) return { numbers: LSBG.unpack(column.numbers) };
    return { texts: column.texts, codes: LSBG.unpack(column.codes) };
  }

  // Load a file of the folder data/ once; gives what it handed over.
  function load(key, file) {
    if (!waiting.has(key)) {
      waiting.set(key, new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = file;
        script.onload = () => resolve(received.get(key));
        script.onerror = () => reject(new Error(`${file} is missing from this report`));
        document.head.append(script);
      }));
    }
    return waiting.get(key);
  }

  LSBG.loadColumn = (number) => load(`column ${number}`, `data/column-${number}.js`);
  LSBG.column = (number) => received.get(`column ${number}`);
  LSBG.loadColumns = () => Promise.allSettled(LSBG.run.columns.map((_, number) => LSBG.loadColumn(number)));

  // Values of all candidates that only some reports have: features, oddness, other.
  LSBG.loadValues = (name) => load(name, `data/${name}.js`);
  LSBG.values = (name) => received.get(name);

  LSBG.hasHeatMap = (i) => i < LSBG.run.heatMaps && LSBG.run.have[i] === 1;
  LSBG.loadHeatMap = async (i) => {
    const perFile = LSBG.run.heatMapsPerFile;
    const number = Math.floor(i / perFile);
    const maps = await load(`heat ${number}`, `heat/${number}.js`);
    return maps.subarray((i % perFile) * 256, (i % perFile + 1) * 256);
  };

  // Offer a text as a file.
  LSBG.download = (name, text) => {
    const blob = new Blob([text], { type: "text/csv" });
    const link = LSBG.element("a", { href: URL.createObjectURL(blob), download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  };

  // Make an element: properties, then children; texts are never taken for markup.
  LSBG.element = (name, properties = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(properties)) {
      if (key in made && key !== "list") made[key] = value;
      else made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  };
})();
