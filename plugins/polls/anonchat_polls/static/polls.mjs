/** Polls as living cards, and the way to make one. */

import { Ballots } from "./ballots.mjs";
import { cardOf } from "./card.mjs";
import { makerOf } from "./maker.mjs";
import { pollsOf } from "./state.mjs";
import { texts } from "./texts.mjs";

/** `door` is what docs/plugin-web.md describes. */
export default function register(door) {
  const { html, room, selectors, t } = door;
  const ballots = new Ballots((event, data) => room().act(event, data));
  door.texts(texts);
  door.reducer(pollsOf(door.removal));
  door.renderer(({ content }) => content.type === "poll", cardOf(door, ballots));
  door.on("open_polls", ({ polls }) => ballots.compare(polls));
  const Maker = makerOf(door);
  const fits = (state) => selectors.isModerator(state) || state.room.me.ext?.polls?.create === "everyone";
  const open = () => (room().dialog.value = () => html`<${Maker} />`);
  door.add("composerActions", { id: "poll", icon: "poll", label: () => t("polls.make"), fits, run: open });
  door.add("commands", { name: "poll", label: () => t("polls.make"), fits, run: open });
}
