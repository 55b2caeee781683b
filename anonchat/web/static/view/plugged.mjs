/** What a plugin shows, in its place in the page. */

import { html, useErrorBoundary } from "../ui.mjs";
import { failed } from "../registry.mjs";

/** The component of `added` with the other props; where that throws, `otherwise`, and the rest of the page stays. */
export function Plugged({ added: { owner, component }, otherwise = null, ...props }) {
  const [error] = useErrorBoundary((thrown) => failed(owner, thrown));
  return error === undefined ? html`<${component} ...${props} />` : otherwise;
}
