/** Small things that many views are made of. */

import { html, useEffect, useRef, useSignal } from "../ui.mjs";
import { copyText } from "../browser/clipboard.mjs";
import { knows, t } from "../texts/catalogue.mjs";
import { span } from "../texts/times.mjs";
import { Icon } from "./icons.mjs";

/** A button that shows only an icon. */
export const IconButton = ({ icon, label, count, kind = "", ...rest }) => html`
  <button type="button" class="icon-button ${kind}" aria-label=${label} title=${label} ...${rest}>
    <${Icon} name=${icon} />${count ? html`<span class="count" aria-hidden="true">${count}</span>` : null}
  </button>`;

/** Why something was refused, and what to do next. */
export function reason(error) {
  const key = `error.${error.code ?? "unreachable"}`;
  const wait = error.retryAfterMs ? ` ${t("error.wait", { span: span(error.retryAfterMs / 1_000, { isAfter: true }) })}` : "";
  const details = error.code === "validation_failed" ? sentences(error.errors) : [];
  return [t(knows(key) ? key : error.message) + wait, ...details].join(" ");
}

/** What the server says about single fields, whatever they lie in. */
const sentences = (errors) => (typeof errors === "object" && errors !== null ? Object.values(errors).flatMap(sentences) : errors ? [String(errors)] : []);

/** A refusal, told at once to those who listen. */
export const Problem = ({ error }) => html`
  <p class="problem" role="alert">${error ? reason(error) : null}</p>`;

/** Something on top of everything. Esc and the backdrop close it; however it goes, the focus goes back to where it was. */
export function Dialog({ title, close, children, kind = "" }) {
  const element = useRef(null);
  useEffect(() => {
    const opener = document.activeElement;
    element.current.showModal();
    return () => document.activeElement === document.body && opener.isConnected && opener.focus();
  }, []);
  const pressed = useRef(null); // who selects a text may let go beyond what it stands in
  const outside = (event) => event.target === element.current && pressed.current === element.current && close();
  return html`
    <dialog ref=${element} class="dialog ${kind}" aria-labelledby="dialog-title" onCancel=${close} onClose=${close} onPointerDown=${(event) => (pressed.current = event.target)} onClick=${outside}>
      <div class="dialog-frame">
        <header class="dialog-head">
          <h2 id="dialog-title">${title}</h2>
          <${IconButton} icon="close" label=${t("action.close")} onClick=${() => element.current.close()} />
        </header>
        ${children}
      </div>
    </dialog>`;
}

/** A text that can be copied. */
export function Copyable({ label, text, isSecret = false }) {
  const copied = useSignal(false);
  const field = useRef(null);
  const copy = async () => {
    await copyText(text);
    field.current?.select(); // it may be closed by now
    copied.value = true;
  };
  return html`
    <div class="copyable">
      <label>${label}<input ref=${field} readonly value=${text} dir="ltr" class=${isSecret ? "secret" : ""} onFocus=${(event) => event.target.select()} /></label>
      <button type="button" class="button" onClick=${copy}><${Icon} name=${copied.value ? "check" : "copy"} /><span aria-live="polite">${copied.value ? t("action.copied") : t("action.copy")}</span></button>
    </div>`;
}

/** The first letters of a name on a colour of its own. */
export function Avatar({ name, id }) {
  const letters = [...name.matchAll(/(^|\s)(\p{L}|\p{N})/gu)].slice(0, 2).map((found) => found[2]).join("");
  return html`<span class="avatar hue-${parseInt(id?.slice(-2) ?? "0", 16) % 8}" aria-hidden="true">${letters || "?"}</span>`;
}

/** A name, which may be in another direction than the sentence. */
export const Name = ({ name, role }) => html`
  <bdi class="name">${name}</bdi>${role === "moderator" ? html` <span class="badge">${t("role.moderator")}</span>` : null}`;
