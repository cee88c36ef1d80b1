"use strict";
// The address of the page says what is on it: view, filters, order, page and candidate. So reload,
// Back, and an address that is sent to others, show the same.

(() => {
  const VIEWS = ["summary", "gallery", "label"];
  const QUIET = 1000;  // milliseconds within which changes of the filters are one step of Back
  let restoring = 0, lastFilters = 0, written = "";

  LSBG.view = () => {
    const name = location.hash.slice(1).split("?")[0];
    return VIEWS.includes(name) ? name : "summary";
  };

  function address() {
    const state = LSBG.selectionState();
    const { page } = LSBG.gallery, row = LSBG.openRow();
    if (page) state.page = String(page + 1);
    if (row !== null) state.row = String(row);
    const query = new URLSearchParams(state).toString();
    return `#gallery${query ? `?${query}` : ""}`;
  }

  // Write what the gallery shows into the address. `push`: as a step that Back takes back,
  // `replace`: as none; else as one step for all changes within a moment.
  LSBG.writeState = ({ push = false, replace = false } = {}) => {
    if (restoring || LSBG.view() !== "gallery") return;
    const next = address();
    if (next === (location.hash || "#summary")) return;
    const fresh = !replace && Date.now() - lastFilters > QUIET;
    if (!push && !replace) lastFilters = Date.now();
    history[push || fresh ? "pushState" : "replaceState"](null, "", next);
    written = next;
    LSBG.linkGallery(next);
  };

  // Show what the address says.
  LSBG.readState = async () => {
    if (LSBG.view() !== "gallery") return;
    const { page, row, ...state } = Object.fromEntries(new URLSearchParams(location.hash.split("?")[1] ?? ""));
    restoring++;
    try {
      LSBG.setSelectionState(state);
      if (!await LSBG.showSelection(Number(page ?? 1) - 1)) return;
      const at = row === undefined ? -1
        : LSBG.gallery.order.indexOf(LSBG.run.row.indexOf(Number(row)));
      if (at >= 0) LSBG.openDetail(at, { push: false });
      else LSBG.closeDetail();
    } finally {
      restoring--;
    }
    written = location.hash;
    LSBG.linkGallery(location.hash);
  };

  // Whether the address was changed by somebody else than this page's controls.
  LSBG.stateIsOurs = () => location.hash === written;
})();
