/** Notes of the system. Chrome on Android has their constructor, and lets nothing but service workers use it. */

/** `show(title, options)` a note: it, or null; `isUnable`, a signal, says whether this browser shows none. `test()` finds out. */
export function systemOf({ signal }) {
  const isUnable = signal(globalThis.Notification === undefined);

  function show(title, options) {
    try {
      return new Notification(title, options);
    } catch {
      isUnable.value = true;
      return null;
    }
  }

  /** Before there is a permission nothing of it is seen. */
  function test() {
    if (!isUnable.value && Notification.permission !== "granted") show("");
    return !isUnable.value;
  }

  return { isUnable, show, test };
}
