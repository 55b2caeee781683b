/** Icons, drawn with one stroke on a grid of 24; they stand beside a text or in a control that has a name. */

import { html } from "../ui.mjs";

const PATHS = {
  send: "M4 12l16-8-6 16-3-6z",
  people: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20c0-3.6 2.9-6 6.5-6s6.5 2.4 6.5 6M16 4.3a3.5 3.5 0 0 1 0 6.4M18 14.4c2.100 .8 3.500 2.900 3.500 5.600",
  share: "M12 15V3m0 0L8 7m4-4l4 4M5 12v7a1.500 1.500 0 0 0 1.500 1.500h11A1.500 1.500 0 0 0 19 19v-7",
  settings: "M4 7h9m5 0h2M4 17h3m5 0h8M15.500 4.500v5M9.500 14.500v5",
  info: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 11v5.500M12 7.700v.1",
  close: "M6 6l12 12M18 6L6 18",
  reply: "M9 7L4 12l5 5M4 12h9c4 0 7 2 7 6",
  edit: "M4 20h4L19 9l-4-4L4 16zM13.500 6.500l4 4",
  delete: "M5 7h14M10 7V4.500h4V7M7 7l1 13h8l1-13M10.500 11v5.500M13.500 11v5.500",
  more: "M5 12a.5.5 0 1 0 1 0 .5.5 0 1 0-1 0M11.500 12a.5.5 0 1 0 1 0 .5.5 0 1 0-1 0M18 12a.5.5 0 1 0 1 0 .5.5 0 1 0-1 0",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  down: "M12 5v14m0 0l-6-6m6 6l6-6",
  up: "M12 19V5m0 0l-6 6m6-6l6 6",
  leave: "M10 4H5v16h5M14 8l4 4-4 4M18 12H9",
  clock: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5.300l3.500 2",
  pin: "M9 3h6l-1 7 3 3H7l3-3zM12 13v8",
  poll: "M5 20V11M12 20V4M19 20v-6",
  bell: "M6 16V11a6 6 0 0 1 12 0v5l2 2H4zM10 20.500h4",
  shield: "M12 3l7 3v6c0 4.500-3 7.500-7 9-4-1.500-7-4.500-7-9V6z",
  dice: "M5 5h14v14H5zM9 9h.01M15 15h.01M12 12h.01M15 9h.01M9 15h.01",
  keys: "M3 6h18v12H3zM7 10h.01M11 10h.01M15 10h.01M7 14h10",
  smile: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM8.500 14.500c1.800 2.300 5.200 2.300 7 0M9 10h.01M15 10h.01",
  again: "M20 11a8 8 0 1 0-2.300 5.700M20 5v6h-6",
  scan: "M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4M4 12h16",
  check: "M5 13l4.500 4.500L19 7",
};

/** Those that point somewhere, and so are mirrored where people write from right to left. */
const POINTING = new Set(["send", "reply", "leave"]);

/** One of them, by its name; or a drawing of a plugin's own, the `d` of an SVG path. */
export const Icon = ({ name }) => html`
  <svg class="icon ${POINTING.has(name) ? "pointing" : ""}" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d=${PATHS[name] ?? name} /></svg>`;
