/** All rooms in numbers, page by page. None is named but those that are listed publicly, and none can be entered here. */

import { html, useEffect, useSignal } from "../ui.mjs";
import { rest } from "../browser/rest.mjs";
import { t } from "../texts/catalogue.mjs";
import { moment, span } from "../texts/times.mjs";
import { Problem } from "../view/parts.mjs";

const PAGE = 20;
const HEADS = ["room", "people", "stored", "goes", "opened", "ends"];

export function Rooms({ token }) {
  const all = useSignal([]);
  const more = useSignal(null); // {total, nextCursor} of the last page
  const problem = useSignal(null);
  const load = async (cursor) => {
    try {
      const page = await rest("GET", `/api/operator/rooms?limit=${PAGE}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`, undefined, token);
      all.value = cursor ? [...all.value, ...page.rooms] : page.rooms;
      more.value = page;
      problem.value = null;
    } catch (error) {
      problem.value = error;
    }
  };
  useEffect(() => void load(), [token]);
  return html`
    <section class="card rooms">
      <div class="row between"><h2>${t("admin.allRooms", { count: more.value?.total ?? 0 })}</h2>
        <button type="button" class="button small" onClick=${() => load()}>${t("admin.again")}</button></div>
      <p class="hint">${t("admin.allRoomsHint")}</p>
      <${Problem} error=${problem.value} />
      ${all.value.length === 0 ? null : html`
        <table class="wide"><thead><tr>${HEADS.map((name) => html`<th scope="col">${t(`admin.head.${name}`)}</th>`)}</tr></thead>
          <tbody>${all.value.map((room) => html`<${Row} room=${room} />`)}</tbody></table>`}
      ${more.value?.nextCursor ? html`<button type="button" class="button" onClick=${() => load(more.value.nextCursor)}>${t("admin.older")}</button>` : null}
    </section>`;
}

function Row({ room }) {
  const name = room.title ?? t("admin.unnamed");
  const told = {
    people: t("admin.places", { count: room.actualParticipants, most: room.maxParticipants }),
    stored: t("admin.written", { count: room.messages }),
    goes: room.retentionSeconds === null ? t("admin.withRoom") : span(room.retentionSeconds, { isExact: true }),
    opened: moment(room.createdAt),
    ends: room.expiresAt === null ? t("admin.never") : moment(room.expiresAt),
  };
  return html`
    <tr>
      <td>${room.title === null ? html`<span class="quiet">${name}</span>` : html`<bdi>${name}</bdi>`}${room.isOpen ? null : ` · ${t("admin.closed")}`}</td>
      ${Object.entries(told).map(([name, value]) => html`<td data-label=${t(`admin.head.${name}`)}><span>${value}</span></td>`)}
    </tr>`;
}
