/** Calls from the system: only after a permission that was asked for by a click, once for each message, never while one looks. */

import { sentenceOf } from "./sentence.mjs";

const FREQUENCY = 660; // Hz
const SECONDS = 0.12;

/** `wishes` is the drawer of the room: what it may call for. `tabs()` are the tabs with the room, `system` shows notes. */
export function callerOf(api, wishes, tabs, system) {
  const { t, room, selectors, client } = api;
  const isAway = () => !room().attention.isLooking.value;
  const wanted = () => wishes().get("wanted") ?? "mentions";
  const counts = (wire, state) => wire.deletedAt === undefined && !selectors.isOwn(wire, state);
  let newest = null; // id of the newest notification that is known; later ones have larger ids
  let position = 0; // seq of the last message before the connection was lost
  let missed = null; // ids of messages that came meanwhile, while they are told
  let isShort = false; // there may be more of them than are told
  let called = new Set(); // ids of those for which it has called

  function call(title, text, id, messageId) {
    if (room() === null) return; // it was left while the tabs agreed
    if (client.settings.value.sound) beep();
    if (globalThis.Notification?.permission !== "granted") return;
    const { roomId } = room();
    // One tag for a message: what has come to two windows of one system is shown once.
    const shown = system.show(title, { body: text, tag: `anonchat ${id}` });
    if (shown === null) return;
    shown.onclick = () => {
      window.focus();
      client.visit(roomId, messageId && `message=${messageId}`); // the room may have left the page
    };
  }

  /** Call for what concerns one: by what it says, or by how many there are. */
  function concern(all) {
    if (all.length === 0 || !isAway() || wanted() === "none") return;
    const [one] = all;
    const said = one.message?.id ?? one.id;
    const [title, text] = all.length === 1 ? [sentenceOf(t, one), one.message?.excerpt ?? ""] : [t("notifications.missedOwn", { count: all.length }), ""];
    tabs().once(said, () => call(title, text, said, one.message?.id));
  }

  return {
    /** One has come into a room: what is there calls for nothing. */
    begins() {
      newest = missed = null;
    },
    /** The server has told of something that concerns one. */
    noted(one) {
      newest = later(newest, one.id);
      concern([one]);
    },
    /** The server has told of all that is unread, the newest first; what came while there was no connection is known by nothing else. */
    listed({ notifications: { all } }) {
      const isNew = ({ id, message }) => newest !== null && id > newest && !called.has(message?.id);
      concern(all.filter(isNew));
      newest = later(newest, all[0]?.id ?? "");
    },
    /** There is a connection again: what was missed follows, and calls once for all. `state` does not know of it yet. */
    returns({ messages: { list } }) {
      [missed, isShort, position] = [[], false, list.at(-1)?.seq ?? 0];
    },
    /** More was missed than the server tells again: these are the newest messages. */
    told({ recovered, messages, hasMore }, state) {
      if (missed === null || recovered !== false || !isAway() || wanted() !== "all") return;
      missed = messages.filter((wire) => wire.seq > position && counts(wire, state)).map(({ id }) => id);
      isShort = hasMore && messages[0]?.seq > position;
    },
    /** All that was missed has come. */
    returned() {
      const [count, last] = [missed?.length ?? 0, missed?.at(-1)];
      called = new Set(missed);
      missed = null;
      if (count > 0) tabs().once(last, () => call(t(isShort ? "notifications.missedLeast" : "notifications.missed", { count }), "", last, last));
    },
    /** A message has come. */
    said(wire, state) {
      if (!counts(wire, state) || !isAway() || wanted() !== "all") return;
      if (missed !== null) missed.push(wire.id);
      else if (!selectors.mentionsMe(wire, state)) tabs().once(wire.id, () => call(wire.authorUsername, wire.content.text ?? "", wire.id, wire.id));
    },
  };
}

/** The larger of two ids. */
const later = (known, id) => (known === null || id > known ? id : known);

function beep() {
  const context = new AudioContext();
  const tone = context.createOscillator();
  const volume = context.createGain();
  tone.frequency.value = FREQUENCY;
  volume.gain.setValueAtTime(0.08, context.currentTime);
  volume.gain.exponentialRampToValueAtTime(0.0001, context.currentTime + SECONDS);
  tone.connect(volume).connect(context.destination);
  tone.onended = () => context.close();
  tone.start();
  tone.stop(context.currentTime + SECONDS);
}
