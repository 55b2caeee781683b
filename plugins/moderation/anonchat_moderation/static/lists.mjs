/** What was reported, who is kept out, and what was done. */

/** What is shown after the newest page came anew: what is known below it stays, unless there may be a gap between them. */
export function renewed(known, page, id) {
  const end = known.rows.findIndex((row) => row[id] === page.rows.at(-1)?.[id]);
  const below = page.hasMore && end >= 0 ? known.rows.slice(end + 1) : [];
  return below.length > 0 ? { rows: [...page.rows, ...below], hasMore: known.hasMore } : page;
}

/** What is shown after a page came that ends before the row `before`; one that was asked for twice is shown once. */
export function continued(known, page, id, before) {
  return known.rows.at(-1)?.[id] === before ? { rows: [...known.rows, ...page.rows], hasMore: page.hasMore } : known;
}

export function listsOf(api) {
  const { html, room, signal, t, times, useEffect, useSignal, components: { Problem } } = api;
  const act = (event, data = {}) => room().act(event, data);
  const done = signal(0); // acts that were told since the page began: after each the lists are asked for anew
  api.on("moderation_log", () => (done.value += 1));

  /** A list, newest first, that is asked for when somebody wants to see it, and when something was done: `event` answers with `field`. */
  function Asked({ title, event, field, id, entry, version }) {
    const all = useSignal({ rows: [], hasMore: false });
    const problem = useSignal(null);
    const load = async (data, joined) => {
      try {
        const answer = await room().chat.request(event, data);
        all.value = joined(all.value, { rows: answer[field], hasMore: answer.hasMore });
        problem.value = null;
      } catch (error) {
        if (error.code === "not_found" && data.before) await load({}, (_, page) => page); // the row before which to go on is gone
        else problem.value = error;
      }
    };
    const renew = () => load({}, (known, page) => renewed(known, page, id));
    const more = () => {
      const before = all.value.rows.at(-1)[id];
      return load({ before }, (known, page) => continued(known, page, id, before));
    };
    const decided = (one) => (isDone) => {
      const isGone = isDone || room().problem.value?.code === "not_found"; // somebody else was faster
      if (isGone) all.value = { ...all.value, rows: all.value.rows.filter((row) => row[id] !== one[id]) };
      return renew();
    };
    useEffect(() => void renew(), [version]);
    const { rows, hasMore } = all.value;
    return html`
      <h3>${title}</h3><${Problem} error=${problem.value} />
      ${rows.length > 0 ? html`<ul class="entries">${rows.map((one) => html`<li key=${one[id]} class="entry">${entry(one, decided(one))}</li>`)}</ul>` : html`<p class="quiet">${t("moderation.nothing")}</p>`}
      ${hasMore ? html`<button type="button" class="button small" onClick=${more}>${t("moderation.more")}</button>` : null}`;
  }

  const show = (messageId) => () => {
    room().panel.value = null;
    room().show(messageId);
  };
  const ban = (one, decided) => html`
    <b><bdi>${one.username}</bdi></b><span class="quiet">${t("moderation.until", { moment: times.moment(one.until) })}</span>${one.reason ? html`<bdi class="quiet">${one.reason}</bdi>` : null}
    <div class="row"><button type="button" class="button small" onClick=${() => act("unban", { banId: one.banId }).then(decided)}>${t("moderation.unban")}</button></div>`;
  const report = (one, decided) => html`
    <b><bdi>${one.author?.username}</bdi></b><span dir="auto">${one.text}</span><bdi class="quiet">${one.reason}</bdi>
    <div class="row"><button type="button" class="button small" onClick=${show(one.messageId)}>${t("moderation.show")}</button>
    <button type="button" class="button small" onClick=${() => act("resolve_report", { reportId: one.reportId }).then(decided)}>${t("moderation.resolve")}</button></div>`;

  /** Names and reasons are told to moderators only. */
  const logged = (one) => html`
    <span>${t(`moderation.log.${one.act}`, { count: one.count })} <time datetime=${one.at} title=${times.exact(one.at)}>${times.clock(one.at)}</time></span>
    ${one.target ? html`<bdi>${one.target.username}</bdi>` : null}
    ${one.byUser || one.reason ? html`<span class="quiet">${one.byUser ? t("moderation.by", { name: one.byUser.username }) : null} <bdi>${one.act === "calm" ? t(one.reason) : one.reason}</bdi></span>` : null}`;

  const Reports = ({ state }) => html`<${Asked} version=${state.moderation.reports} title=${t("moderation.reports")} event="get_reports" field="reports" id="reportId" entry=${report} />`;
  const Bans = () => html`<${Asked} version=${done.value} title=${t("moderation.bans")} event="get_bans" field="bans" id="banId" entry=${ban} />`;
  const Log = () => html`<${Asked} version=${done.value} title=${t("moderation.log")} event="get_moderation_log" field="entries" id="entryId" entry=${logged} />`;
  return { Reports, Bans, Log };
}
