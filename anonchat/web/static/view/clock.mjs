/** The present second, for what counts down. */

import { signal } from "../ui.mjs";

export const now = signal(Date.now());

setInterval(() => (now.value = Date.now()), 1_000);
