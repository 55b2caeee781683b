/** Polls as living cards, and the way to make one. */

import { Ballots } from "./ballots.mjs";
import { cardOf } from "./card.mjs";
import { makerOf } from "./maker.mjs";
import { pollsOf } from "./state.mjs";
import { texts } from "./texts.mjs";

/** `api` is what docs/plugin-web.md describes. */
export default function register(api) {
  const { html, room, selectors, t } = api;
  const ballots = new Ballots(room);
  api.texts(texts);
  api.reducer(pollsOf(api.removal));
  api.renderer(({ content }) => content.type === "poll", cardOf(api, ballots));
  api.on("open_polls", ({ polls }) => ballots.compare(polls));
  api.on("votes_lost", ({ pollIds }) => ballots.lost(pollIds));
  const Maker = makerOf(api);
  const fits = (state) => selectors.isModerator(state) || state.room.me.ext?.polls?.create === "everyone";
  const open = () => (room().dialog.value = () => html`<${Maker} />`);
  api.add("composerActions", { id: "poll", icon: "poll", label: () => t("polls.make"), fits, run: open });
  api.add("commands", { name: "poll", label: () => t("polls.make"), fits, run: open });
}
