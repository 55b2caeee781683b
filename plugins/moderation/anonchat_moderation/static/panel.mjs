/** The moderators' tools for the room; participants see the rules, and what was done. */

import { controlsOf } from "./controls.mjs";
import { heldOf } from "./held.mjs";
import { listsOf } from "./lists.mjs";

export function panelOf(api) {
  const { html, room, selectors, t } = api;
  const Controls = controlsOf(api);
  const Held = heldOf(api);
  const { Reports, Bans, Log } = listsOf(api);

  return function Panel() {
    const { state } = room();
    if (!selectors.isModerator(state)) return html`<p>${t(`moderation.preset.${state.moderation.rules.preset ?? "relaxed"}`)}</p><${Log} />`;
    return html`<${Controls} state=${state} /><${Held} state=${state} /><${Reports} state=${state} /><${Bans} /><${Log} />`;
  };
}
