/** Where one writes. What is typed survives a reload until the server has it; messages leave this place for the outbox. */

import { html, useComputed, useEffect, useLayoutEffect, useRef, useSignal } from "../ui.mjs";
import { t } from "../texts/catalogue.mjs";
import { complete } from "../text/completion.mjs";
import { changeable, isKnown, isOwn, messageOf } from "../state/selectors.mjs";
import { now } from "./clock.mjs";
import { commandsOf, obey } from "./commands.mjs";
import { useClient, useSession } from "./context.mjs";
import { Emoji } from "./emoji.mjs";
import { excerpt } from "./message.mjs";
import { Icon } from "./icons.mjs";
import { IconButton } from "./parts.mjs";
import { Suggestions, useSuggestions } from "./suggestions.mjs";

const LIMIT = 4_000;
const NEAR = 0.9; // of the limit, from which on the rest is counted

export function Composer() {
  const session = useSession();
  const client = useClient();
  const field = useRef(null);
  const draft = useSignal(session.drawer.get("draft") ?? "");
  const text = useComputed(() => session.editing.value?.text ?? draft.value);
  const write = (changed) => {
    if (session.editing.value !== null) {
      session.editing.value = { ...session.editing.value, text: changed };
      return;
    }
    draft.value = changed;
    session.drawer.set("draft", changed || undefined);
  };
  useAttending(session, field);
  useGrowing(field, text.value);
  const suggestions = useSuggestions(field, (before) => complete(before, vocabulary(session)), write);
  const count = [...text.value].length;
  const limit = session.state.room.limits.textLength ?? LIMIT;
  const wait = waitOf(session);
  const isReady = text.value.trim() !== "" && count <= limit && wait === 0;
  const send = () => isReady && submit(session, client, text, write, field);
  const insert = (sign) => field.current && insertAt(field.current, sign, write); // chosen in a dialog that outlives the field
  const keys = (event) => suggestions.key(event) || key(event, { session, client, text, send });
  return html`
    <form class="composer" onSubmit=${(event) => { event.preventDefault(); send(); }}>
      <${Context} />
      <${Suggestions} from=${suggestions} />
      <div class="composer-row">
        ${session.registry.composerActions.filter((action) => action.fits(session.state)).map((action) => html`<${IconButton} icon=${action.icon} label=${action.label()} onClick=${() => action.run()} />`)}
        <${IconButton} icon="smile" kind="fine-only" label=${t("emoji.title")} onClick=${() => (session.dialog.value = () => html`<${Emoji} insert=${insert} />`)} />
        <textarea id="composer" ref=${field} rows="1" dir="auto" aria-label=${t("composer.label")} placeholder=${t("composer.label")} value=${text.value}
          aria-autocomplete="list" aria-controls=${suggestions.found.value === null ? undefined : "suggestions"} aria-activedescendant=${suggestions.activeId()}
          enterkeyhint=${isTouch() ? "enter" : "send"}
          onInput=${(event) => { write(event.target.value); suggestions.look(); session.chat.typing(); }} onKeyDown=${keys} onBlur=${suggestions.close} />
        <button class="send" disabled=${!isReady} aria-label=${wait > 0 ? t("composer.wait", { count: wait }) : t("composer.send")}>${wait > 0 ? wait : html`<${Icon} name="send" />`}</button>
      </div>
      <p class="counter ${count > limit ? "over" : ""}" role="status">${rest(limit - count, limit)}</p>
    </form>`;
}

/** Write a sign where the caret is, which goes behind it. */
function insertAt(field, sign, write) {
  const { value, selectionStart, selectionEnd } = field;
  const end = selectionStart + sign.length;
  write(value.slice(0, selectionStart) + sign + value.slice(selectionEnd));
  field.focus();
  queueMicrotask(() => field.setSelectionRange(end, end));
}

/** How much may still be written, once that matters. */
function rest(left, limit) {
  if (left < 0) return t("composer.over", { count: -left });
  return left < (1 - NEAR) * limit ? t("composer.left", { count: left }) : null;
}

const isTouch = () => matchMedia("(pointer: coarse)").matches;

function vocabulary(session) {
  const { state } = session;
  const people = Object.values(state.people.all).filter((user) => user.sessionId !== state.room.me.sessionId);
  return { people: people.map((user) => user.username), commands: commandsOf(session) };
}

/** Whole seconds until one may send again, if the server wants us to wait; no change of a message has to. */
function waitOf(session) {
  if (session.editing.value !== null) return 0;
  const until = Math.max(0, ...session.chat.outbox.items.value.map((item) => item.until ?? 0));
  return until === 0 ? 0 : Math.max(0, Math.ceil((until - now.value) / 1_000));
}

function submit(session, client, text, write, field) {
  const said = text.value.trim();
  field.current.focus();
  if (session.editing.value !== null) {
    change(session, { id: session.editing.value.id, text: said }, text);
  } else if (obey(said, session, client)) {
    write("");
  } else if (said.startsWith("/") && !isKnown(session.state)) {
    session.problem.value = { code: "not_yet" }; // nobody knows yet which commands there are, and it is not for everybody's eyes
  } else if (session.chat.post(said, session.reply.value ?? undefined)) {
    session.reply.value = null;
    session.attention.clear();
    write("");
  } else {
    session.problem.value = { code: "outbox_full" };
  }
}

/** Change a message. The field is free for the next one at once; a change that is refused stands there again, if it still is. */
async function change(session, wanted, text) {
  session.drawer.set("editing", wanted);
  session.editing.value = null;
  if (await session.act("edit_message", { messageId: wanted.id, text: wanted.text })) {
    session.forget(wanted);
    return;
  }
  if (session.chat.status.value.kind === "over") return; // nothing is kept of this stay that could go into another
  const isFree = session.editing.value === null && text.value === "";
  (isFree ? session.editing : session.unchanged).value = wanted;
}

function key(event, { session, client, text, send }) {
  // Input methods for Chinese or Japanese use Enter themselves; some browsers say so only by the code 229.
  if (event.isComposing || event.keyCode === 229) return;
  const { enterSends } = client.settings.value;
  const isEnter = event.key === "Enter" && !event.shiftKey;
  if (isEnter && (event.ctrlKey || event.metaKey || (enterSends && !isTouch()))) {
    event.preventDefault();
    send();
  } else if (event.key === "ArrowUp" && text.value === "") {
    const last = changeable(session.state, session.chat.serverTime()).at(-1);
    if (last === undefined) return;
    event.preventDefault();
    session.editing.value = { id: last.id, text: last.content.text };
  } else if (event.key === "Escape") {
    session.stopEditing();
    session.reply.value = null;
  }
}

/** Who changes or answers a message is here. */
function useAttending(session, field) {
  const [changed, answered] = [session.editing.value?.id, session.reply.value];
  useLayoutEffect(() => {
    if (changed !== undefined) field.current.focus();
  }, [changed]);
  useEffect(() => {
    if (answered !== null) field.current.focus();
  }, [answered]);
}

/** The field grows with its text, up to what the style sheet allows. */
function useGrowing(field, text) {
  const grow = () => {
    field.current.style.height = "auto";
    field.current.style.height = `${field.current.scrollHeight}px`;
  };
  useLayoutEffect(grow, [text]);
  useEffect(() => {
    addEventListener("resize", grow); // turned telephones wrap lines elsewhere
    return () => removeEventListener("resize", grow);
  }, []);
}

/** What is answered or changed. */
function Context() {
  const session = useSession();
  const { state } = session;
  const id = session.editing.value?.id ?? session.reply.value;
  if (id === null) return null;
  const wire = messageOf(state, id);
  const isEditing = session.editing.value !== null;
  const cancel = () => {
    session.stopEditing();
    session.reply.value = null;
  };
  const name = wire && isOwn(wire, state) ? t("message.you") : wire?.authorUsername;
  return html`
    <div class="composer-context">
      <${Icon} name=${isEditing ? "edit" : "reply"} />
      <span class="ellipsis">${isEditing ? t("composer.editing") : t("composer.replying", { name })} ${wire ? html`<bdi class="quiet">${excerpt(wire)}</bdi>` : null}</span>
      <${IconButton} icon="close" label=${t("action.cancel")} onClick=${cancel} />
    </div>`;
}
