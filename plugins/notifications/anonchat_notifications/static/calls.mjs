/** Calls from the system: only after a permission that was asked for by a click, once for each message, never while one looks. */

const FREQUENCY = 660; // Hz
const SECONDS = 0.12;

/** `wishes` is the drawer of the room: what it may call for. `tabs()` are the tabs with the room. */
export function callerOf(door, wishes, tabs) {
  const { t, room, selectors, client } = door;
  const isAway = () => !room().attention.isLooking.value;

  function call(title, text, id) {
    if (client.settings.value.sound) beep();
    if (globalThis.Notification?.permission !== "granted") return;
    // One tag for a message: what has come to two windows of one system is shown once.
    const shown = new Notification(title, { body: text, tag: `anonchat ${id}` });
    shown.onclick = () => {
      window.focus();
      room().show(id);
    };
  }

  return {
    /** The server has told of something that concerns one. */
    noted({ id, type, message }) {
      if (!isAway() || (wishes().get("wanted") ?? "mentions") === "none") return;
      const said = message?.id ?? id;
      tabs().once(said, () => call(t(`notifications.${type}`, { name: message?.authorUsername ?? "" }), message?.excerpt ?? "", said));
    },
    /** A message has come. */
    said(wire, state) {
      const concerns = selectors.mentionsMe(wire, state) || selectors.isOwn(wire, state);
      if (concerns || !isAway() || wishes().get("wanted") !== "all") return;
      tabs().once(wire.id, () => call(wire.authorUsername, wire.content.text ?? "", wire.id));
    },
  };
}

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
