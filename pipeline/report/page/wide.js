"use strict";
// The wider field around a candidate, where the report has it.

(() => {
  const { element } = LSBG;

  LSBG.hasWide = (i) => Boolean(LSBG.run.wide?.[i]);

  // A picture of the wider field with a frame around the cutout.
  LSBG.widePicture = (i) => {
    const box = element("span", { className: "picture wide-field" });
    const text = `The ${LSBG.run.wideArcsec} arcseconds around the candidate; the frame is the cutout`;
    const image = element("img", { src: `wide/${i}.jpg`, alt: text, className: "sky drawn" });
    const frame = element("span", { className: "frame" });
    frame.setAttribute("aria-hidden", "true");
    frame.style.setProperty("--part", `${100 * LSBG.run.fieldArcsec / LSBG.run.wideArcsec}%`);
    box.append(image, frame);
    return box;
  };
})();
