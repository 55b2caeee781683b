/** Reading a link from a QR code with the camera, in browsers that can read one. Pictures never leave the device. */

import { html, useEffect, useRef, useSignal } from "../ui.mjs";
import { t } from "../texts/catalogue.mjs";
import { Dialog } from "./parts.mjs";

const PAUSE = 200; // ms between two looks

/** Whether this browser can: it needs a detector, and lets no page on plain HTTP have a camera. */
export const canScan = () => "BarcodeDetector" in globalThis && navigator.mediaDevices !== undefined;

/** `found(text)` is called with what a code says, and answers whether it was the right one. */
export function Scanner({ found, close }) {
  const screen = useRef(null);
  const problem = useSignal(null);
  useEffect(() => {
    const stopping = new AbortController();
    watch(screen.current, found, stopping.signal).catch(() => (problem.value = "scan.refused"));
    return () => stopping.abort();
  }, []);
  return html`
    <${Dialog} title=${t("scan.title")} close=${close} kind="small">
      <video class="scanner" ref=${screen} playsinline muted autoplay aria-label=${t("scan.picture")}></video>
      <p class="hint">${t("scan.hint")}</p>
      <p class="problem" role="alert">${problem.value ? t(problem.value) : null}</p>
    </${Dialog}>`;
}

/** Look through the camera until `found` is content or `signal` aborts; then the camera is off. Throws without a camera. */
async function watch(screen, found, signal) {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  try {
    const detector = new BarcodeDetector({ formats: ["qr_code"] });
    screen.srcObject = stream;
    await screen.play();
    while (!signal.aborted) {
      const codes = await detector.detect(screen);
      if (codes.some(({ rawValue }) => found(rawValue))) break;
      await new Promise((next) => setTimeout(next, PAUSE));
    }
  } finally {
    for (const track of stream.getTracks()) track.stop();
  }
}
