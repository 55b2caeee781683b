/** A QR code, drawn here: the secret that it shows never leaves the device. */

import { html, useEffect, useState } from "../ui.mjs";
import { t } from "../texts/catalogue.mjs";

const QUIET = 2; // modules of white around it

export function QrCode({ text }) {
  const [code, setCode] = useState(null); // undefined where there is nothing to draw it with
  useEffect(() => {
    const draw = ({ default: qrcode }) => {
      const made = qrcode(0, "M");
      made.addData(text);
      made.make();
      setCode(made);
    };
    import("../vendor/qrcode.mjs").then(draw, () => setCode(undefined));
  }, [text]);
  if (code === undefined) return html`<p class="hint">${t("share.noQr")}</p>`;
  if (code === null) return html`<div class="qr"></div>`;
  const size = code.getModuleCount();
  const dark = (row) => Array.from({ length: size }, (_, column) => (code.isDark(row, column) ? `M${column} ${row}h1v1h-1z` : "")).join("");
  const path = Array.from({ length: size }, (_, row) => dark(row)).join("");
  const box = `${-QUIET} ${-QUIET} ${size + 2 * QUIET} ${size + 2 * QUIET}`;
  return html`<svg class="qr" viewBox=${box} role="img" aria-label=${t("share.qr")} shape-rendering="crispEdges"><path d=${path} /></svg>`;
}
