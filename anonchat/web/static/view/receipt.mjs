/** What was deleted with a room, by category. */

import { html } from "../ui.mjs";
import { knows, t } from "../texts/catalogue.mjs";

export function Receipt({ deleted }) {
  const counted = Object.entries(deleted ?? {}).filter(([, count]) => count > 0);
  const known = counted.filter(([category]) => knows(`receipt.${category}`));
  const others = counted.filter((one) => !known.includes(one)).reduce((sum, [, count]) => sum + count, 0);
  if (counted.length === 0) return null;
  return html`
    <p>${t("closing.deleted")}</p>
    <ul class="facts">
      ${known.map(([category, count]) => html`<li>${t(`receipt.${category}`, { count })}</li>`)}
      ${others > 0 ? html`<li>${t("receipt.others", { count: others })}</li>` : null}
    </ul>`;
}
