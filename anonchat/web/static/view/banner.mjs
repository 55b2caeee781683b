/** What is with the connection. It never covers anything, and says nothing while all is well. */

import { html, useLayoutEffect, useSignal } from "../ui.mjs";
import { knows, t } from "../texts/catalogue.mjs";
import { span } from "../texts/times.mjs";
import { now } from "./clock.mjs";
import { useSession } from "./context.mjs";

const BACK = 3_000; // ms for which it says that one is back
const PATIENCE = 1_200; // ms for which connecting needs no words
const SOON = 600_000; // ms before its end in which it is told that a room ends

export function Banner() {
  const session = useSession();
  const status = session.chat.status.value;
  const told = useSignal(null);
  const wasOffline = useSignal(false);
  useLayoutEffect(() => { // before the next event, or it would say for a moment that one is offline with what has just gone
    if (status.kind === "connecting" && wasOffline.value) return undefined; // one is offline until a try succeeds: told once
    told.value = status.kind === "offline" ? status : null;
    if (status.kind === "offline") wasOffline.value = true;
    const isBack = status.kind === "online" && wasOffline.value;
    if (isBack) {
      told.value = status;
      wasOffline.value = false;
    }
    const later = () => (told.value = status.kind === "connecting" ? status : null);
    if (status.kind === "offline") return undefined;
    const timer = setTimeout(later, status.kind === "connecting" ? PATIENCE : BACK);
    return () => clearTimeout(timer);
  }, [status]);
  const left = untilEnd(session);
  const waiting = session.chat.outbox.items.value.filter((item) => item.state === "waiting").length;
  // What counts down stands beside what is read out, or every second of it would be.
  return html`
    <section class="banner ${told.value?.kind ?? ""}" aria-label=${told.value ? t("banner.label") : null}>
      <span role="status">${told.value ? sentence(told.value, waiting) : null}${left === null ? null : ` ${t("banner.ends")}`}</span>${" "}
      ${left === null ? null : html`<span>${t("banner.left", { span: span(left / 1_000) })}</span>`}
      ${told.value?.kind !== "offline" ? null : status.kind === "connecting" ? html`<span>${t("banner.connecting")}</span>` : html`<${NextTry} until=${told.value.until} />`}
    </section>`;
}

/** What a status says, while so many messages are waiting. */
export function sentence(status, waiting) {
  if (status.kind === "online") return status.missed > 0 ? t("banner.caughtUp", { count: status.missed }) : t("banner.back");
  const told = status.kind === "connecting" ? t("banner.connecting") : why(status);
  return waiting > 0 ? `${told} ${t("banner.waiting", { count: waiting })}` : told;
}

/** A server that is there and lets one in later says why. */
function why({ restarts, reason }) {
  const refusal = `error.${reason}`;
  return t(restarts ? "banner.restarts" : knows(refusal) ? refusal : "banner.offline");
}

function NextTry({ until }) {
  const session = useSession();
  const seconds = Math.max(1, Math.ceil((until - now.value) / 1_000));
  return html`
    <span>${t("banner.next", { span: span(seconds, { isAfter: true }) })}</span>
    <button type="button" class="button small" onClick=${() => session.chat.wake()}>${t("banner.now")}</button>`;
}

/** In how many ms the room ends, if that is soon, and it has not just begun; else null. */
function untilEnd({ state, chat }) {
  const { createdAt, expiresAt } = state.room.details;
  if (!expiresAt) return null;
  const left = Date.parse(expiresAt) - chat.serverTime(now.value);
  const lasts = Date.parse(expiresAt) - Date.parse(createdAt);
  return left > 0 && left <= Math.min(SOON, lasts / 2) ? left : null;
}
