/** The card of a poll: a group of radio buttons or boxes, and results in words and numbers. */

/** A component for messages that carry a poll. */
export function cardOf(door, ballots) {
  const { html, t, times, now, room, selectors, useSignal } = door;

  function Card({ message, state }) {
    const { content } = message;
    const poll = state.polls[content.pollId];
    const chosen = useSignal(null);
    if (poll === undefined) return null;
    const isSecret = poll.secrecy === "secret";
    const isOver = poll.closedAt !== null || (poll.closesAt !== null && Date.parse(poll.closesAt) <= now.value);
    const isFinal = isOver || (isSecret && poll.voted);
    const picked = chosen.value ?? poll.optionIds ?? [];
    const pick = (id) => (chosen.value = content.allowMultipleAnswers ? toggled(picked, id) : [id]);
    const vote = async (event) => {
      event.preventDefault();
      await ballots.vote(content.pollId, picked, isSecret);
      chosen.value = null;
    };
    return html`
      <form class="poll" onSubmit=${vote}>
        <fieldset disabled=${isFinal}>
          <legend dir="auto">${content.question}</legend>
          ${content.options.map((option) => html`<${Option} option=${option} poll=${poll} content=${content} isPicked=${picked.includes(option.id)} pick=${pick} />`)}
        </fieldset>
        <p class="quiet">${t(content.secrecyText)}</p>
        <div class="row">
          ${isFinal ? null : html`<button class="button small primary" disabled=${chosen.value === null || picked.length === 0}>${t(poll.voted ? "polls.change" : "polls.vote")}</button>`}
          ${!isOver && mayClose(message, state) ? html`<button type="button" class="button small" onClick=${() => room().act("close_poll", { pollId: content.pollId })}>${t("polls.close")}</button>` : null}
          <span class="quiet" role="status">${standing(poll, isOver)}</span>
        </div>
      </form>`;
  }

  function Option({ option, poll, content, isPicked, pick }) {
    const votes = poll.totals?.[option.id] ?? null;
    const most = Math.max(1, poll.voters ?? 0);
    return html`
      <label class="poll-option">
        <input type=${content.allowMultipleAnswers ? "checkbox" : "radio"} name=${content.pollId} checked=${isPicked} onChange=${() => pick(option.id)} />
        <span class="poll-text"><bdi>${option.text}</bdi>${votes === null ? null : html`<span class="quiet">${t("polls.votes", { count: votes })}</span>`}</span>
        ${votes === null ? null : html`<progress class="poll-bar" value=${votes} max=${most} aria-hidden="true"></progress>`}
      </label>`;
  }

  const mayClose = (message, state) => selectors.isModerator(state) || selectors.isOwn(message, state);

  function standing(poll, isOver) {
    const told = [
      poll.voters !== null && t("polls.voters", { count: poll.voters }),
      poll.discarded && t("polls.discarded"),
      isOver ? t("polls.closed") : poll.closesAt !== null && t("polls.closes", { span: times.span((Date.parse(poll.closesAt) - now.value) / 1_000) }),
      !isOver && poll.voted && t("polls.voted"),
    ];
    return told.filter(Boolean).join(" · ");
  }

  return Card;
}

const toggled = (ids, id) => (ids.includes(id) ? ids.filter((one) => one !== id) : [...ids, id]);
