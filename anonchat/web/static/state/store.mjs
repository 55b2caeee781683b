/** The one place of a room's state; fed by nothing but the server's events, so that replay and tests go the same way. */

import { signal } from "../vendor/signals-core.mjs";
import { CORE, initial, reduce } from "./reduce.mjs";

/** `parts` are the reducers of plugins by name, beside those of the core. `happened(event, data, state)` is told after each. */
export function createStore(parts = {}, happened = () => {}) {
  const all = { ...CORE, ...parts };
  const state = signal(initial(all));
  return {
    state,
    apply(event, data, context) {
      state.value = reduce(all, state.value, event, data, context);
      happened(event, data, state.value);
    },
  };
}
