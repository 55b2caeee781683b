/** The moderators' tools for the room; participants see the rules, and what was done. */

import { controlsOf } from "./controls.mjs";
import { heldOf } from "./held.mjs";
import { listsOf } from "./lists.mjs";

export function panelOf(door) {
  const { html, room, selectors, t } = door;
  const Controls = controlsOf(door);
  const Held = heldOf(door);
  const { Reports, Bans, Log } = listsOf(door);

  return function Panel() {
    const { state } = room();
    if (!selectors.isModerator(state)) return html`<p>${t(`moderation.preset.${state.moderation.rules.preset ?? "relaxed"}`)}</p><${Log} />`;
    return html`<${Controls} state=${state} /><${Held} state=${state} /><${Reports} state=${state} /><${Bans} /><${Log} />`;
  };
}
