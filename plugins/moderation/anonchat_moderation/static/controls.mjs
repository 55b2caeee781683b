/** What moderators set for the room: its rules, the button for raids, the door, the link, the end. */

import { waiting } from "./held.mjs";
import { linkOf } from "./link.mjs";
import { PRESETS } from "./presets.mjs";
import { rulesOf } from "./rules.mjs";

const SLOW = [0, 5, 10, 30, 60];

export function controlsOf(api) {
  const { html, room, t, times, components: { Confirm, Dialog } } = api;
  const InDetail = rulesOf(api);
  const rotate = linkOf(api);
  const act = (event, data = {}) => room().act(event, data);
  const open = (content) => (room().dialog.value = content);
  const close = () => open(null);

  /** The second click of a double click is meant for what stood there at the first, and not for the contrary. */
  const once = (does) => ({ detail }) => detail < 2 && does();

  /** What the panic has held is shown or dropped; where nothing waits, as the server knows, there is nothing to ask. */
  async function calm() {
    const stay = room();
    try {
      const { messages, hasMore } = await stay.chat.request("get_held_messages");
      if (messages.length === 0) act("calm");
      else open(() => html`<${Calm} told=${waiting(t, messages.length, hasMore)} />`);
    } catch (error) {
      stay.problem.value = error;
    }
  }

  function Calm({ told }) {
    const decide = (held) => () => {
      close();
      act("calm", { held });
    };
    return html`
      <${Dialog} title=${t("moderation.calm")} close=${close} kind="small">
        <p>${told}. ${t("moderation.calmAsks")}</p>
        <div class="row end">
          <button type="button" class="button" onClick=${decide("release")}>${t("moderation.calmShow")}</button>
          <button type="button" class="button grave" onClick=${decide("drop")}>${t("moderation.calmDrop")}</button>
        </div>
      </${Dialog}>`;
  }

  const Rules = ({ rules }) => html`
    <label>${t("moderation.preset")}<select onChange=${(event) => act("set_moderation", { preset: event.target.value })}>
      ${PRESETS.map((name) => html`<option value=${name} selected=${rules.preset === name}>${t(`moderation.preset.${name}`)}</option>`)}</select></label>
    <label>${t("moderation.slow")}<select onChange=${(event) => act("set_moderation", { slowModeSeconds: Number(event.target.value) })}>
      ${[...new Set([...SLOW, rules.slowModeSeconds ?? 0])].map((seconds) => html`<option value=${seconds} selected=${seconds === (rules.slowModeSeconds ?? 0)}>${seconds === 0 ? t("moderation.slowOff") : times.span(seconds, { isExact: true })}</option>`)}</select></label>
    <button type="button" class="button small" onClick=${() => open(() => html`<${InDetail} />`)}>${t("moderation.rules")}</button>`;

  const end = () => open(() => html`<${Confirm} title=${t("moderation.end")} text=${t("moderation.endMeans")} yes=${t("moderation.end")} act=${() => act("end_room")} />`);

  return function Controls({ state }) {
    const { rules } = state.moderation;
    const isClosed = state.room.details.isOpen === false;
    return html`
      <${Rules} rules=${rules} />
      <button type="button" class="button ${rules.panic ? "primary" : "grave"}" onClick=${once(() => (rules.panic ? calm() : act("panic")))}>${t(rules.panic ? "moderation.calm" : "moderation.panic")}</button>
      <small>${t(rules.panic ? "moderation.calmMeans" : "moderation.panicMeans")}</small>
      <div class="row">
        <button type="button" class="button small" onClick=${once(() => act(isClosed ? "reopen_room" : "close_room"))}>${t(isClosed ? "moderation.reopen" : "moderation.close")}</button>
        <button type="button" class="button small" onClick=${rotate}>${t("moderation.rotate")}</button>
        <button type="button" class="button small grave" onClick=${end}>${t("moderation.end")}</button>
      </div>`;
  };
}
