/** What was reported, who is kept out, and what was done. */

export function listsOf(door) {
  const { html, room, signal, t, times, useEffect, useSignal, components: { Problem } } = door;
  const act = (event, data = {}) => room().act(event, data);
  const done = signal(0); // acts that were told since the page began: after each the lists are asked for anew
  door.on("moderation_log", () => (done.value += 1));

  /** A list that is asked for when somebody wants to see it, and when something was done: `event` answers with `field`. */
  function Asked({ title, event, field, entry, version }) {
    const all = useSignal(null);
    const problem = useSignal(null);
    const load = async () => {
      try {
        all.value = (await room().chat.request(event))[field];
      } catch (error) {
        problem.value = error;
      }
    };
    useEffect(() => void load(), [version]);
    return html`
      <h3>${title}</h3><${Problem} error=${problem.value} />
      ${all.value?.length ? html`<ul class="entries">${all.value.map((one) => entry(one, load))}</ul>` : html`<p class="quiet">${t("moderation.nothing")}</p>`}`;
  }

  const show = (messageId) => () => {
    room().panel.value = null;
    room().show(messageId);
  };
  const ban = (one, load) => html`
    <li class="entry"><b><bdi>${one.username}</bdi></b><span class="quiet">${t("moderation.until", { moment: times.moment(one.until) })} <bdi>${one.reason}</bdi></span>
      <button type="button" class="button small" onClick=${() => act("unban", { banId: one.banId }).then(load)}>${t("moderation.unban")}</button></li>`;
  const report = (one, load) => html`
    <li class="entry"><b><bdi>${one.author.username}</bdi></b><span dir="auto">${one.text}</span><bdi class="quiet">${one.reason}</bdi>
      <div class="row"><button type="button" class="button small" onClick=${show(one.messageId)}>${t("moderation.show")}</button>
      <button type="button" class="button small" onClick=${() => act("resolve_report", { reportId: one.reportId }).then(load)}>${t("moderation.resolve")}</button></div></li>`;

  /** Names and reasons are told to moderators only. */
  const logged = (one) => html`
    <li class="entry"><span>${t(`moderation.log.${one.act}`, { count: one.count })} <time datetime=${one.at} title=${times.exact(one.at)}>${times.clock(one.at)}</time></span>
      ${one.target ? html`<bdi>${one.target.username}</bdi>` : null}
      ${one.byUser || one.reason ? html`<span class="quiet">${one.byUser ? t("moderation.by", { name: one.byUser.username }) : null} <bdi>${one.act === "calm" ? t(one.reason) : one.reason}</bdi></span>` : null}</li>`;

  const Reports = ({ state }) => html`<${Asked} version=${state.moderation.reports} title=${t("moderation.reports")} event="get_reports" field="reports" entry=${report} />`;
  const Bans = () => html`<${Asked} version=${done.value} title=${t("moderation.bans")} event="get_bans" field="bans" entry=${ban} />`;
  const Log = () => html`<${Asked} version=${done.value} title=${t("moderation.log")} event="get_moderation_log" field="entries" entry=${logged} />`;
  return { Reports, Bans, Log };
}
