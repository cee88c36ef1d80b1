"use strict";
// Start the page, and go from one view to another.

(() => {
  const $ = (id) => document.getElementById(id);
  const VIEWS = ["summary", "gallery", "label"];

  function showView() {
    const wanted = location.hash.slice(1);
    const name = VIEWS.includes(wanted) ? wanted : "summary";
    for (const view of VIEWS) {
      $(view).hidden = view !== name;
      const link = document.querySelector(`nav a[href="#${view}"]`);
      if (view !== name) link.removeAttribute("aria-current");
      else {
        link.setAttribute("aria-current", "page");
        document.title = `${link.textContent} – ${LSBG.run.name}`;
      }
    }
    window.scrollTo(0, 0);
    if (name === "label") LSBG.openLabelling();
  }

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

  function looks() {
    for (const input of document.querySelectorAll("input.brightness")) {
      input.addEventListener("input", () => LSBG.setBrightness(input.value));
    }
    for (const input of document.querySelectorAll("input.sharp")) {
      input.addEventListener("change", () => LSBG.setSharp(input.checked));
    }
    $("thumb-size").addEventListener("input", (event) => {
      document.documentElement.style.setProperty("--thumb", `${event.target.value}px`);
    });
  }

  LSBG.openLabels();
  LSBG.startDetail();
  LSBG.startLabelling();
  LSBG.startGallery();
  looks();
  window.addEventListener("hashchange", showView);
  showView();
})();
