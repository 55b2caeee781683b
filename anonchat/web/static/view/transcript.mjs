/** The conversation as a text, for moderators to take home before it is gone. */

import { rest, roomPath } from "../browser/rest.mjs";
import { exact } from "../texts/times.mjs";
import { isGone } from "../state/selectors.mjs";

const MOST_PAGES = 100; // of 1,000 messages each
const LINE_BREAK = /\r\n|[\n\r\v\f\u0085\u2028\u2029]/g;

/** Ask for all of it and let the browser save it. Throws `Refused` or `NotReachable`. */
export async function saveTranscript({ roomId, token, state }) {
  const messages = await all(roomId, token);
  const lines = messages.filter((wire) => !isGone(wire)).map(written);
  const url = URL.createObjectURL(new Blob(lines, { type: "text/plain" }));
  Object.assign(document.createElement("a"), { href: url, download: `${state.room.details.title}.txt` }).click();
  URL.revokeObjectURL(url);
}

/** A message as it is saved: only its first line begins at the margin, so that no text passes for a message of somebody else. */
export function written({ createdAt, authorUsername, content }) {
  const text = (content.text ?? "").replace(LINE_BREAK, "\n    ");
  return `${exact(createdAt)}  ${authorUsername}: ${text}\n`;
}

/** The newest part comes first. */
async function all(roomId, token) {
  const found = [];
  for (let pages = 0, query = ""; pages < MOST_PAGES; pages += 1) {
    const { messages, complete } = await rest("GET", roomPath(roomId, `/export${query}`), undefined, token);
    found.unshift(...messages);
    if (complete || messages.length === 0) break;
    query = `?before=${messages[0].seq}`;
  }
  return found;
}
