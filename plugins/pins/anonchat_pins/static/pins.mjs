/** The pinned messages of a room: a bar above the conversation, and the acts of pinning. */

import { pinsOf } from "./state.mjs";
import { texts } from "./texts.mjs";

/** `api` is what docs/plugin-web.md describes. */
export default function register(api) {
  const { html, room, selectors, t, useSignal, components: { Icon, IconButton } } = api;
  api.texts(texts);
  api.reducer(pinsOf(api.removal));
  // A pin may be of a message that is not known here: then all of them are asked for once more.
  api.on("message_pinned", ({ messageId }, state) => state.pins.all[messageId] === null && room().chat.request("get_pinned_messages").catch(() => {}));
  const may = (state) => selectors.isModerator(state);
  const isPinned = (wire, state) => wire.id in state.pins.all;
  api.add("messageActions", { id: "pin", icon: "pin", label: () => t("pins.pin"), fits: (wire, state) => may(state) && !isPinned(wire, state), run: (wire) => room().act("pin_message", { messageId: wire.id }) });
  api.add("messageActions", { id: "unpin", icon: "pin", label: () => t("pins.unpin"), fits: (wire, state) => may(state) && isPinned(wire, state), run: (wire) => room().act("unpin_message", { messageId: wire.id }) });
  api.add("marks", { component: ({ message, state }) => (isPinned(message, state) ? html`<span>${t("pins.pinned")}</span>` : null) });

  function Bar() {
    const isOpen = useSignal(false);
    const all = Object.entries(room().state.pins.all).reverse();
    if (all.length === 0) return null;
    const shown = isOpen.value ? all : all.slice(0, 1);
    return html`
      <section class="pins" aria-label=${t("pins.title")}>
        <ul>${shown.map(([id, wire]) => html`
          <li><button type="button" class="pin ellipsis" onClick=${() => room().show(id, wire?.seq)}><${Icon} name="pin" /><span class="ellipsis">${wire === null ? t("pins.unknown") : html`<b><bdi>${wire.authorUsername}</bdi></b> <bdi>${wire.content.text}</bdi>`}</span></button></li>`)}
        </ul>
        ${all.length > 1 ? html`<${IconButton} icon=${isOpen.value ? "close" : "more"} label=${isOpen.value ? t("action.close") : t("pins.all", { count: all.length })} aria-expanded=${isOpen.value} onClick=${() => (isOpen.value = !isOpen.value)} />` : null}
      </section>`;
  }
  api.add("bars", { component: Bar });
}
