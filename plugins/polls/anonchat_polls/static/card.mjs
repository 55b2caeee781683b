/** The card of a poll: a group of radio buttons or boxes, and results in words and numbers. */

/** A component for messages that carry a poll. */
export function cardOf(api, ballots) {
  const { html, t, times, serverNow, room, selectors, useSignal } = api;

  function Card({ message, state }) {
    const { content } = message;
    const poll = state.polls[content.pollId];
    const chosen = useSignal(null);
    const isBusy = useSignal(false);
    if (poll === undefined) return null;
    const isSecret = poll.secrecy === "secret";
    const isOver = poll.closedAt !== null || (poll.closesAt !== null && Date.parse(poll.closesAt) <= serverNow());
    const isFinal = isOver || (isSecret && poll.voted);
    const picked = chosen.value ?? poll.optionIds ?? [];
    const pick = (id) => (chosen.value = content.allowMultipleAnswers ? toggled(picked, id) : [id]);
    const vote = async (event) => {
      event.preventDefault();
      isBusy.value = true;
      const isTaken = await ballots.vote(content.pollId, picked, isSecret);
      isBusy.value = false;
      if (isTaken && chosen.value === picked) chosen.value = null; // a refused choice stays, and so does a later one
    };
    return html`
      <form class="poll" onSubmit=${vote}>
        <fieldset disabled=${isFinal}>
          <legend dir="auto">${content.question}</legend>
          ${content.options.map((option) => html`<${Option} option=${option} poll=${poll} content=${content} isPicked=${picked.includes(option.id)} pick=${pick} />`)}
        </fieldset>
        <p class="quiet">${t(content.secrecyText)}</p>
        <div class="row">
          ${isFinal ? null : html`<button class="button small primary" disabled=${isBusy.value || chosen.value === null || picked.length === 0}>${t(poll.voted ? "polls.change" : "polls.vote")}</button>`}
          ${!isOver && mayClose(message, state) ? html`<button type="button" class="button small" onClick=${() => room().act("close_poll", { pollId: content.pollId })}>${t("polls.close")}</button>` : null}
          ${poll.voters === null ? null : html`<span class="quiet">${t("polls.voters", { count: poll.voters })}</span>`}
          <span class="quiet" role="status">${standing(poll, isOver)}</span>
          ${isOver || poll.closesAt === null ? null : html`<span class="quiet">${closing(poll)}</span>`}
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

  /** What is read out. How many have voted stands beside it, as it may change twice a second. */
  function standing(poll, isOver) {
    const told = [
      poll.discarded && t("polls.discarded"),
      isOver && t("polls.closed"),
      !isOver && poll.voted && t("polls.voted"),
    ];
    return told.filter(Boolean).join(" · ");
  }

  /** Beside what is read out, as it changes with each second. */
  const closing = (poll) => t("polls.closes", { span: times.span((Date.parse(poll.closesAt) - serverNow()) / 1_000, { isAfter: true }) });

  return Card;
}

const toggled = (ids, id) => (ids.includes(id) ? ids.filter((one) => one !== id) : [...ids, id]);
