/** What is with the connection. It never covers anything, and says nothing while all is well. */

import { html, useEffect, useSignal } from "../ui.mjs";
import { t } from "../texts/catalogue.mjs";
import { span } from "../texts/times.mjs";
import { now } from "./clock.mjs";
import { useSession } from "./context.mjs";

const BACK = 3_000; // ms for which it says that one is back
const PATIENCE = 1_200; // ms for which connecting needs no words

export function Banner() {
  const session = useSession();
  const status = session.chat.status.value;
  const told = useSignal(null);
  const wasOffline = useSignal(false);
  useEffect(() => {
    told.value = status.kind === "offline" ? status : null;
    if (status.kind === "offline") wasOffline.value = true;
    const isBack = status.kind === "online" && wasOffline.value;
    if (isBack) {
      told.value = status;
      wasOffline.value = false;
    }
    const later = () => (told.value = status.kind === "connecting" ? status : null);
    if (status.kind === "offline") return undefined;
    if (status.kind === "connecting" && wasOffline.value) told.value = status;
    const timer = setTimeout(later, status.kind === "connecting" ? PATIENCE : BACK);
    return () => clearTimeout(timer);
  }, [status]);
  const waiting = session.chat.outbox.items.value.filter((item) => item.state === "waiting").length;
  return html`
    <div class="banner ${told.value?.kind ?? ""}" role="status">
      ${told.value ? html`<span>${sentence(told.value)}${waiting > 0 && told.value.kind !== "online" ? ` ${t("banner.waiting", { count: waiting })}` : ""}</span>` : null}
      ${told.value?.kind === "offline" ? html`<button type="button" class="button small" onClick=${() => session.chat.wake()}>${t("banner.now")}</button>` : null}
      <${Ending} />
    </div>`;
}

function sentence(status) {
  if (status.kind === "connecting") return t("banner.connecting");
  if (status.kind === "online") return status.missed > 0 ? t("banner.caughtUp", { count: status.missed }) : t("banner.back");
  const seconds = Math.max(1, Math.ceil((status.until - now.value) / 1_000));
  return t(status.restarts ? "banner.restarts" : "banner.offline", { span: span(seconds) });
}

/** That the room ends soon. */
function Ending() {
  const { endsInSeconds } = useSession().state.room;
  return endsInSeconds === null ? null : html`<span>${t("banner.ends", { span: span(endsInSeconds) })}</span>`;
}
