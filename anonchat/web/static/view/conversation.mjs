/**
 * The messages. Only a window of them is in the page, however many there are; it moves with the scrolling, and what one
 * looks at stays where it is.
 */

import { html, useEffect, useLayoutEffect, useRef, useSignal } from "../ui.mjs";
import { t } from "../texts/catalogue.mjs";
import { day } from "../texts/times.mjs";
import { hasOlder } from "../state/messages.mjs";
import { isKnown, isOwn, pending, typing } from "../state/selectors.mjs";
import { now } from "./clock.mjs";
import { useClient, useSession } from "./context.mjs";
import { Icon } from "./icons.mjs";
import { Message } from "./message.mjs";
import { Outgoing } from "./outgoing.mjs";
import { rowsOf, windowOf } from "./rows.mjs";

const SIZE = 120; // messages in the page
const STEP = 20; // by how many the window moves
const NEAR = 600; // px from an end at which it moves
const BOTTOM = 48; // px from the end that count as the end
const NAMED = 5; // people that are named who came or went together

export function Conversation() {
  const session = useSession();
  const client = useClient();
  const scroll = useScroll(session);
  const { state } = session;
  const { list } = state.messages;
  const part = list.slice(scroll.part.start, scroll.part.end);
  const isNewest = scroll.part.end === list.length;
  const comings = client.settings.value.showsComings ? state.comings : [];
  const rows = rowsOf(part, { line: session.attention.line.value, comings, isOwn: (wire) => isOwn(wire, state) });
  const waiting = isNewest ? pending(session.chat.outbox.items.value, state) : [];
  return html`
    <div class="list-frame">
      <div class="list" role="log" aria-live="off" aria-label=${t("list.title")} tabindex="0" ref=${scroll.element} onScroll=${scroll.moved} onKeyDown=${scroll.rove} onFocusIn=${scroll.focused}>
        <div class="rows">
          ${isKnown(state) && list.length === 0 && waiting.length === 0 ? html`<p class="empty">${t("list.empty")}</p>` : null}
          ${state.messages.hasMore && scroll.part.start === 0 ? html`<p class="older">${t(hasOlder(state.messages) ? "list.loading" : "list.full")}</p>` : null}
          ${rows.map((row) => html`<${Row} key=${row.key} row=${row} state=${state} />`)}
          ${waiting.map((item) => html`<${Outgoing} key=${item.clientMsgId} item=${item} />`)}
        </div>
      </div>
      <${FirstNew} scroll=${scroll} />
      <${News} scroll=${scroll} />
      <${Typing} />
    </div>`;
}

function Row({ row, state }) {
  if (row.kind === "message") return html`<${Message} wire=${row.wire} isFirst=${row.isFirst} state=${state} />`;
  if (row.kind === "day") return html`<p class="day"><time datetime=${row.time}>${day(row.time, Date.now())}</time></p>`;
  if (row.kind === "line") return html`<p class="line" id="new">${t("list.new")}</p>`;
  const told = [row.came.length > 0 && t("list.came", { names: some(row.came), count: row.came.length }),
    row.went.length > 0 && t("list.went", { names: some(row.went), count: row.went.length })];
  return html`<p class="comings">${told.filter(Boolean).join(" ")}</p>`;
}

/** The first names of many, and how many others there are. */
function some(names) {
  const others = names.length - NAMED;
  return others <= 1 ? names.join(", ") : t("list.others", { names: names.slice(0, NAMED).join(", "), count: others });
}

/** Where one looks: the window, and what keeps its place when rows come or go. */
function useScroll(session) {
  const element = useRef(null);
  const anchor = useRef(null); // {key, offset} of the first row in sight, or null: the newest is in sight
  const isLoading = useRef(false);
  const top = useSignal(null);
  const isAtEnd = useSignal(true);
  const hidden = useHiddenLine(session);
  const { list } = session.state.messages;
  const hasMore = hasOlder(session.state.messages);
  const part = windowOf(list, top.value, SIZE);

  const toEnd = () => {
    anchor.current = null;
    top.value = null;
    isAtEnd.value = true;
    element.current.scrollTop = element.current.scrollHeight;
  };
  const older = async () => {
    if (isLoading.current) return;
    isLoading.current = true;
    try {
      await session.older();
    } catch {
      // There will be another try, when there is a connection and somebody scrolls.
    }
    isLoading.current = false;
  };
  const moved = (event) => {
    const box = event.currentTarget;
    if (!box.isConnected) return; // browsers tell of a scroll in the next frame, and the room may be left by then
    const left = box.scrollHeight - box.scrollTop - box.clientHeight;
    isAtEnd.value = left < BOTTOM && part.end === list.length;
    hidden.look(box);
    anchor.current = isAtEnd.value ? null : firstInSight(box);
    if (isAtEnd.value && top.value !== null) top.value = null;
    else if (box.scrollTop < NEAR && part.start > 0) top.value = list[Math.max(0, part.start - STEP)].seq;
    else if (box.scrollTop < NEAR && hasMore) older();
    else if (left < NEAR && part.end < list.length) top.value = list[part.start + STEP].seq;
  };

  const stay = useRef(null);
  stay.current = () => {
    const box = element.current;
    if (box === null) return; // sizes change, too, when all this leaves the page
    putBack(box, anchor.current);
    hidden.look(box);
    if (hasMore && part.start === 0 && box.scrollHeight <= box.clientHeight) older(); // nobody can scroll up to ask for them
  };
  useLayoutEffect(() => stay.current());
  useStaying(element, stay);
  useLooking(session, isAtEnd);
  useWanted(session, { element, anchor, top, isAtEnd });
  usePosted(session, toEnd);
  return { element, part, moved, toEnd, isAtEnd, isLineHidden: hidden.isHidden, ...useRoving(element) };
}

/** What one has just written is shown, wherever one reads. What has come to the room, or was refused, moves nobody. */
function usePosted(session, show) {
  const ids = session.chat.outbox.items.value.map((item) => item.clientMsgId);
  const known = useRef(ids);
  useEffect(() => {
    if (ids.some((id) => !known.current.includes(id))) show();
    known.current = ids;
  }, [ids.join()]);
}

/** Where one looks stays in sight: the row of the anchor at its place, or the end. */
function putBack(box, anchor) {
  const row = anchor === null ? undefined : rowWith(box, anchor.key);
  if (anchor === null) box.scrollTop = box.scrollHeight;
  else if (row !== undefined) box.scrollTop = row.offsetTop - anchor.offset;
}

/** The same when sizes change: a keyboard comes, a telephone is turned, a card grows. */
function useStaying(element, stay) {
  useEffect(() => {
    const box = element.current;
    const observer = new ResizeObserver(() => stay.current());
    observer.observe(box);
    observer.observe(box.firstElementChild);
    return () => observer.disconnect();
  }, []);
}

/** Whether what is new begins above what one sees, until one has seen where. */
function useHiddenLine(session) {
  const isHidden = useSignal(false);
  const seen = useRef(null); // the line that was in sight
  const look = (box) => {
    const line = session.attention.line.value;
    const row = box.querySelector("#new");
    const isAbove = row === null || row.offsetTop + row.offsetHeight < box.scrollTop;
    if (line !== null && !isAbove) seen.current = line;
    isHidden.value = line !== null && isAbove && seen.current !== line && session.attention.news.value.length > 0;
  };
  return { isHidden, look };
}

function firstInSight(box) {
  const row = [...box.firstElementChild.children].find((child) => child.dataset.key && child.offsetTop + child.offsetHeight > box.scrollTop);
  return row === undefined ? null : { key: row.dataset.key, offset: row.offsetTop - box.scrollTop };
}

const rowWith = (box, key) => [...box.firstElementChild.children].find((child) => child.dataset.key === key);

/** Whether somebody sees the newest message: the page is in front, and scrolled to the end. */
function useLooking(session, isAtEnd) {
  const isThere = useSignal(document.hasFocus());
  useEffect(() => {
    const look = () => (isThere.value = !document.hidden && document.hasFocus());
    for (const event of ["focus", "blur"]) addEventListener(event, look);
    document.addEventListener("visibilitychange", look);
    return () => {
      for (const event of ["focus", "blur"]) removeEventListener(event, look);
      document.removeEventListener("visibilitychange", look);
    };
  }, []);
  useEffect(() => session.attention.look(isThere.value && isAtEnd.value, isThere.value), [isThere.value, isAtEnd.value]);
  useEffect(() => () => session.attention.look(false, false), []); // the room has left the page, and one is still in it
}

/** Show the message that somebody wants to see, in its context. */
function useWanted(session, { element, anchor, top, isAtEnd }) {
  const wanted = session.wanted.value;
  useEffect(() => {
    const { list } = session.state.messages;
    const id = wanted?.id;
    const index = list.findIndex((wire) => wire.id === id);
    if (index < 0) return;
    session.wanted.value = null; // who comes back to the room later is where they were
    const box = element.current; // which is still the one to look in when the room was left meanwhile
    isAtEnd.value = false;
    anchor.current = { key: id, offset: Math.round(box.clientHeight / 3) };
    top.value = list[Math.max(0, Math.min(index - STEP, list.length - SIZE))].seq;
    requestAnimationFrame(() => {
      const row = rowWith(box, id);
      row?.classList.add("wanted");
      row?.focus({ preventScroll: true });
      setTimeout(() => row?.classList.remove("wanted"), 2_000);
    });
  }, [wanted]);
}

/** Arrows move from message to message, from the one on which one was last; it keeps its place when it leaves the page. */
function useRoving(element) {
  const last = useRef(null);
  useLayoutEffect(() => {
    // Without a focus in the list its keys would do nothing any more.
    if (last.current === null || last.current.isConnected) return;
    last.current = null;
    if (document.activeElement === document.body) element.current.focus({ preventScroll: true });
  });
  const focused = (event) => (last.current = event.target.closest("article"));
  return { focused, rove: (event) => rove(event, last.current) };
}

function rove(event, last) {
  const rows = [...event.currentTarget.querySelectorAll("article")];
  const at = rows.indexOf(document.activeElement.closest("article") ?? last);
  const steps = { ArrowUp: at < 0 ? rows.length - 1 : Math.max(0, at - 1), ArrowDown: Math.min(rows.length - 1, at + 1), Home: 0, End: rows.length - 1 };
  if (!(event.key in steps) || rows.length === 0 || document.activeElement.closest("input, textarea, fieldset")) return;
  event.preventDefault();
  rows[steps[event.key]].focus();
}

/** The way to where what is new begins; or that one is on the way to some message. */
function FirstNew({ scroll }) {
  const session = useSession();
  if (session.searches.value > 0) return html`<p class="first-new searching" role="status">${t("list.searching")}</p>`;
  if (!scroll.isLineHidden.value) return null;
  return html`<button type="button" class="first-new button" onClick=${() => session.showUnread()}><${Icon} name="up" />${t("list.firstNew")}</button>`;
}

/** How many are new below, or that there is more below. */
function News({ scroll }) {
  const session = useSession();
  if (scroll.isAtEnd.value) return null;
  const count = session.attention.unread.value;
  const go = () => {
    scroll.toEnd();
    scroll.element.current.focus({ preventScroll: true }); // the button goes, and would take the focus with it
  };
  return html`
    <button type="button" class="news button" onClick=${go}><${Icon} name="down" />${count > 0 ? t("list.news", { count }) : t("list.toEnd")}</button>`;
}

function Typing() {
  const names = typing(useSession().state, now.value);
  const told = names.length === 0 ? "" : names.length > 3 ? t("typing.many") : t("typing", { names: names.join(", "), count: names.length });
  return html`<p class="typing">${told}</p>`;
}
