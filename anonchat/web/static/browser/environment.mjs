/** What a chat needs of a browser. */

export const environment = {
  socket: (url) => new WebSocket(url),
  now: () => Date.now(),
  random: () => Math.random(),
  id: () => randomId(),
  after(ms, act) {
    const timer = setTimeout(act, ms);
    return () => clearTimeout(timer);
  },
};

/** 128 random bits as hex; `crypto.randomUUID` is missing on plain HTTP, which people use at home. */
export function randomId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The address of the WebSocket of this server. */
export const socketUrl = () => `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/ws`;
