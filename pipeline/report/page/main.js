"use strict";
// Start the page, and go from one view to another.

(() => {
  const $ = (id) => document.getElementById(id);
  const VIEWS = ["summary", "gallery", "label"];
  let shown = "";

  function showView() {
    const name = LSBG.view();
    if (name !== "gallery") LSBG.closeDetail();
    for (const view of VIEWS) {
      $(view).hidden = view !== name;
      const link = linkOf(view);
      if (view !== name) link.removeAttribute("aria-current");
      else {
        link.setAttribute("aria-current", "page");
        document.title = `${link.textContent} – ${LSBG.run.name}`;
      }
    }
    if (name !== shown) window.scrollTo(0, 0);
    if (name === "label" && name !== shown) LSBG.openLabelling();
    shown = name;
    if (name === "gallery" && !LSBG.stateIsOurs()) return LSBG.readState();
    return undefined;
  }

  const linkOf = (view) => document.querySelector(`nav a[data-view="${view}"]`);
  // The way back to the gallery is to what was shown there.
  LSBG.linkGallery = (address) => linkOf("gallery").setAttribute("href", address);

  // Ask who labels, once; gives whether there is a name.
  LSBG.askLabeller = (again = false) => {
    if (LSBG.labeller() && !again) return Promise.resolve(true);
    const dialog = $("who"), input = $("who-name");
    input.value = LSBG.labeller();
    dialog.showModal();
    return new Promise((resolve) => {
      dialog.addEventListener("close", () => {
        const name = input.value.replace(/\p{C}/gu, " ").trim().replace(/\s+/g, " ");
        if (dialog.returnValue === "ok" && name) LSBG.setLabeller(name);
        dialog.returnValue = "";
        resolve(Boolean(LSBG.labeller()));
      }, { once: true });
    });
  };

  // Every key of the page, by the question mark.
  function startKeys() {
    $("keys-close").addEventListener("click", () => $("keys").close());
    for (const button of document.querySelectorAll(".show-keys")) {
      button.addEventListener("click", () => $("keys").showModal());
    }
    document.addEventListener("keydown", (event) => {
      const typing = event.target.closest?.("input:not([type=checkbox]):not([type=range]), select, textarea");
      if (event.key !== "?" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      if (!$("keys").open) $("keys").showModal();
    });
  }

  // Pictures come first, on a phone and in a low window.
  if (matchMedia("(max-width: 50rem)").matches) $("more").open = $("gallery-filters").open = false;
  else if (matchMedia("(max-height: 55rem)").matches) $("more").open = false;
  LSBG.openLabels();
  LSBG.startLook();
  LSBG.startHeat();
  LSBG.startOther();
  LSBG.startDetail();
  LSBG.startLabelling();
  LSBG.startSelection();
  LSBG.startThreshold();
  LSBG.startExport();
  LSBG.startGallery();
  LSBG.startGoto();
  LSBG.startTable();
  LSBG.startSky();
  LSBG.startMarks();
  startKeys();
  window.addEventListener("hashchange", showView);
  // The probabilities of other weights stand beside the pictures.
  (LSBG.run.other ? LSBG.loadValues("other").catch(() => {}) : Promise.resolve()).then(() => {
    if (LSBG.view() !== "gallery") LSBG.showSelection();
    showView();
  });
})();
