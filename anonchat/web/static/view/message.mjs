/** One message: who, when, what it answers, what it says, and what can be done with it. */

import { html, useRef, useSignal } from "../ui.mjs";
import { t } from "../texts/catalogue.mjs";
import { clock, exact } from "../texts/times.mjs";
import { isGone, isOwn, mentionsMe, messageOf } from "../state/selectors.mjs";
import { actionsOn } from "./actions.mjs";
import { useSession } from "./context.mjs";
import { Icon } from "./icons.mjs";
import { Menu } from "./menu.mjs";
import { Avatar, IconButton, Name } from "./parts.mjs";
import { Plugged } from "./plugged.mjs";
import { Rich } from "./rich.mjs";

const QUOTED = 140;
const QUICK = 2; // actions that stand at the message itself
const LONG_PRESS = 500; // ms
const STRAY = 12; // px that a finger may move while it holds
const OPENING = new Set(["Enter", "ContextMenu"]);

/** What a message says, in one line. */
export const excerpt = (wire) => (isGone(wire) ? t("message.deleted") : (wire.content.text ?? "").replace(/\s+/g, " ").slice(0, QUOTED));

export function Message({ wire, isFirst, state }) {
  const session = useSession();
  const isActive = useSignal(false); // tools are made for the message that somebody points at or is on, and for no other
  const actions = () => (isGone(wire) ? [] : actionsOn(wire, session));
  const menu = () => actions().length > 0 && (session.dialog.value = () => html`<${MessageMenu} wire=${wire} actions=${actions()} />`);
  const press = useLongPress(menu);
  const kinds = [isFirst && "first", isOwn(wire, state) && "own", mentionsMe(wire, state) && "meant", isGone(wire) && "gone"];
  return html`
    <article class="message ${kinds.filter(Boolean).join(" ")}" data-key=${wire.id} tabindex="-1" aria-label=${sentence(wire, state)} onKeyDown=${(event) => keys(event, wire, actions(), menu)}
      onPointerEnter=${() => (isActive.value = true)} onPointerLeave=${() => (isActive.value = false)} onFocusIn=${() => (isActive.value = true)} onFocusOut=${() => (isActive.value = false)} ...${press}>
      ${isFirst ? html`<${Avatar} name=${wire.authorUsername} id=${wire.anonymousId} />` : null}
      <div class="said">
        ${isFirst ? html`<header class="by"><${Name} name=${wire.authorUsername} role=${wire.authorRole} /><${Time} at=${wire.createdAt} /></header>` : html`<${Time} at=${wire.createdAt} kind="aside" />`}
        <${Answered} id=${wire.replyToId} state=${state} />
        <${Body} wire=${wire} state=${state} />
        <p class="marks">
          ${wire.editedAt && !isGone(wire) ? html`<time datetime=${wire.editedAt} title=${exact(wire.editedAt)}>${t("message.edited")}</time>` : null}
          ${session.registry.marks.map((mark) => html`<${Plugged} added=${mark} message=${wire} state=${state} />`)}
        </p>
      </div>
      ${isActive.value && !isGone(wire) ? html`<${Tools} wire=${wire} actions=${actions()} menu=${menu} />` : null}
    </article>`;
}

const Time = ({ at, kind = "" }) => html`<time class=${kind} datetime=${at} title=${exact(at)}>${clock(at)}</time>`;

function Body({ wire, state }) {
  const session = useSession();
  if (isGone(wire)) return html`<p class="quiet">${t("message.deleted")}</p>`;
  const renderer = session.registry.renderers.find(({ fits }) => fits(wire));
  const text = html`<${Rich} text=${wire.content.text ?? ""} names=${wire.mentions} />`;
  return renderer === undefined ? text : html`<${Plugged} added=${renderer} otherwise=${text} message=${wire} state=${state} />`;
}

/** What a message answers; a click shows it in its context. */
function Answered({ id, state }) {
  const session = useSession();
  if (id === undefined) return null;
  const wire = messageOf(state, id);
  return html`
    <button type="button" class="answered" onClick=${() => session.show(id)}>
      <${Icon} name="reply" />${wire === undefined ? t("message.unknown") : html`<bdi>${wire.authorUsername}</bdi><span dir="auto">${excerpt(wire)}</span>`}
    </button>`;
}

/** One sentence for those who listen. */
function sentence(wire, state) {
  const name = isOwn(wire, state) ? t("message.you") : wire.authorUsername;
  const marks = [wire.editedAt && t("message.edited"), mentionsMe(wire, state) && t("message.meant")].filter(Boolean);
  return [t("message.sentence", { name, text: excerpt(wire) }), clock(wire.createdAt), ...marks].join(" · ");
}

function Tools({ wire, actions, menu }) {
  return html`
    <div class="message-tools">
      ${actions.slice(0, QUICK).map((action) => html`<${IconButton} icon=${action.icon} label=${action.label(wire)} onClick=${() => action.run(wire)} tabindex="-1" />`)}
      <${IconButton} icon="more" label=${t("message.more")} onClick=${menu} tabindex="-1" />
    </div>`;
}

const MessageMenu = ({ wire, actions }) => html`
  <${Menu} title=${t("message.of", { name: wire.authorUsername })} actions=${actions} subject=${wire}>
    <p class="quoted" dir="auto">${excerpt(wire)}</p>
    <p class="quiet"><time datetime=${wire.createdAt}>${exact(wire.createdAt)}</time></p>
  </${Menu}>`;

/** On a message that has the focus: Enter and the menu key open what can be done, a letter does it. */
function keys(event, wire, actions, menu) {
  if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return;
  const action = actions.find(({ key }) => key === event.key);
  if (OPENING.has(event.key)) menu();
  else if (action === undefined) return;
  else action.run(wire);
  event.preventDefault();
}

/** Holding a finger on it opens what can be done. */
function useLongPress(act) {
  const held = useRef(null); // {timer, x, y}
  const stop = () => clearTimeout(held.current?.timer);
  const begin = ({ pointerType, clientX: x, clientY: y }) => {
    if (pointerType === "touch") held.current = { timer: setTimeout(act, LONG_PRESS), x, y };
  };
  const stray = ({ clientX, clientY }) => held.current && Math.hypot(clientX - held.current.x, clientY - held.current.y) > STRAY && stop();
  // Devices open a menu of their own for it.
  const instead = (event) => event.pointerType === "touch" && event.preventDefault();
  return { onPointerDown: begin, onPointerUp: stop, onPointerMove: stray, onPointerCancel: stop, onContextMenu: instead };
}
