/** The room's rules, the button for raids, what waits, who is kept out, and what was done. */

import { linkOf } from "./link.mjs";
import { PRESETS } from "./presets.mjs";
import { rulesOf } from "./rules.mjs";

const SLOW = [0, 5, 10, 30, 60];

export function panelOf(door) {
  const { html, room, selectors, t, times, useEffect, useSignal, components: { Confirm, Problem } } = door;
  const rotate = linkOf(door);
  const InDetail = rulesOf(door);
  const act = (event, data = {}) => room().act(event, data);
  const sure = (key, event, data) => () => (room().dialog.value = () => html`<${Confirm} title=${t(`moderation.${key}`)} text=${t(`moderation.${key}Means`)} yes=${t(`moderation.${key}`)} act=${() => act(event, data)} />`);

  function Rules({ state }) {
    const { rules } = state.moderation;
    return html`
      <label>${t("moderation.preset")}<select value=${rules.preset} onChange=${(event) => act("set_moderation", { preset: event.target.value })}>
        ${PRESETS.map((name) => html`<option value=${name} selected=${rules.preset === name}>${t(`moderation.preset.${name}`)}</option>`)}</select></label>
      <label>${t("moderation.slow")}<select onChange=${(event) => act("set_moderation", { slowModeSeconds: Number(event.target.value) })}>
        ${[...new Set([...SLOW, rules.slowModeSeconds ?? 0])].map((seconds) => html`<option value=${seconds} selected=${seconds === (rules.slowModeSeconds ?? 0)}>${seconds === 0 ? t("moderation.slowOff") : times.span(seconds)}</option>`)}</select></label>
      <button type="button" class="button small" onClick=${() => (room().dialog.value = () => html`<${InDetail} />`)}>${t("moderation.rules")}</button>
      ${rules.panic
        ? html`<button type="button" class="button primary" onClick=${() => act("calm")}>${t("moderation.calm")}</button>`
        : html`<button type="button" class="button grave" onClick=${() => act("panic")}>${t("moderation.panic")}</button>`}
      <small>${t(rules.panic ? "moderation.calmMeans" : "moderation.panicMeans")}</small>
      <div class="row">
        ${state.room.details.isOpen === false
          ? html`<button type="button" class="button small" onClick=${() => act("reopen_room")}>${t("moderation.reopen")}</button>`
          : html`<button type="button" class="button small" onClick=${() => act("close_room")}>${t("moderation.close")}</button>`}
        <button type="button" class="button small" onClick=${rotate}>${t("moderation.rotate")}</button>
        <button type="button" class="button small grave" onClick=${sure("end", "end_room", {})}>${t("moderation.end")}</button>
      </div>`;
  }

  function Held({ state }) {
    const held = Object.values(state.moderation.held);
    if (held.length === 0) return null;
    return html`
      <h3>${t("moderation.held", { count: held.length })}</h3>
      <ul class="entries">${held.map(({ message, reason }) => html`
        <li class="entry"><b><bdi>${message.authorUsername}</bdi></b><span dir="auto">${message.content.text}</span><span class="quiet">${reason}</span>
          <div class="row"><button type="button" class="button small" onClick=${() => act("release_message", { messageId: message.id })}>${t("moderation.release")}</button>
          <button type="button" class="button small grave" onClick=${() => act("drop_message", { messageId: message.id })}>${t("moderation.drop")}</button></div></li>`)}
      </ul>`;
  }

  /** A list that is asked for when somebody wants to see it: `event` answers with `field`. */
  function Asked({ title, event, field, entry }) {
    const all = useSignal(null);
    const problem = useSignal(null);
    const load = async () => {
      try {
        all.value = (await room().chat.request(event))[field];
      } catch (error) {
        problem.value = error;
      }
    };
    useEffect(() => void load(), []);
    return html`
      <h3>${title}</h3><${Problem} error=${problem.value} />
      ${all.value?.length ? html`<ul class="entries">${all.value.map((one) => entry(one, load))}</ul>` : html`<p class="quiet">${t("moderation.nothing")}</p>`}`;
  }

  const ban = (one, load) => html`
    <li class="entry"><b><bdi>${one.username}</bdi></b><span class="quiet">${t("moderation.until", { moment: times.moment(one.until) })} ${one.reason}</span>
      <button type="button" class="button small" onClick=${() => act("unban", { banId: one.banId }).then(load)}>${t("moderation.unban")}</button></li>`;
  const report = (one, load) => html`
    <li class="entry"><b><bdi>${one.author.username}</bdi></b><span dir="auto">${one.text}</span><span class="quiet">${one.reason}</span>
      <div class="row"><button type="button" class="button small" onClick=${() => room().show(one.messageId)}>${t("moderation.show")}</button>
      <button type="button" class="button small" onClick=${() => act("resolve_report", { reportId: one.reportId }).then(load)}>${t("moderation.resolve")}</button></div></li>`;
  const logged = (one) => html`<li class="entry"><span>${t(`moderation.log.${one.act}`, { count: one.count })} <time datetime=${one.at}>${times.clock(one.at)}</time></span></li>`;

  return function Panel() {
    const { state } = room();
    const isModerator = selectors.isModerator(state);
    return html`
      ${isModerator ? html`<${Rules} state=${state} /><${Held} state=${state} />` : html`<p>${t(`moderation.preset.${state.moderation.rules.preset ?? "relaxed"}`)}</p>`}
      ${isModerator ? html`<${Asked} key=${`reports ${state.moderation.reports}`} title=${t("moderation.reports")} event="get_reports" field="reports" entry=${report} />` : null}
      ${isModerator ? html`<${Asked} title=${t("moderation.bans")} event="get_bans" field="bans" entry=${ban} />` : null}
      <${Asked} title=${t("moderation.log")} event="get_moderation_log" field="entries" entry=${logged} />`;
  };
}
