/** Frames of the WebSocket as values, and the errors of what they answer. */

/** The server speaks another language than we do. */
export class NotOurs extends Error {}

/** There is no connection, or it was lost before the answer came; whether it was done is not known. */
export class NotReachable extends Error {}

/** The server said no. `code` is one of the protocol's, `retryAfterMs` when to ask again, if that is known. */
export class Refused extends Error {
  constructor({ code = "internal", message, detail, retryAfterMs, errors = {} }) {
    super(message ?? detail ?? code);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
    this.errors = errors;
  }
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** `{event, data, seq?, id?}` of a text. Throws `NotOurs`. */
export function decode(text) {
  let frame;
  try {
    frame = JSON.parse(text);
  } catch {
    throw new NotOurs("an event is no JSON");
  }
  if (!isObject(frame) || typeof frame.event !== "string") throw new NotOurs("an event is not as expected");
  const { event, data = {}, seq, id } = frame;
  if (!isObject(data) || !(seq === undefined || Number.isInteger(seq))) throw new NotOurs("an event is not as expected");
  return { event, data, seq, id };
}

/** The text of a frame. */
export const encode = (event, data, id) => JSON.stringify(id === undefined ? { event, data } : { event, data, id }, storable);

/** Half an emoji and NUL, which no frame may hold, are left out: the server could not say to which frame its no belongs. */
const storable = (_, value) => (typeof value === "string" ? value.replace(/\0|\p{Surrogate}/gu, "") : value);
