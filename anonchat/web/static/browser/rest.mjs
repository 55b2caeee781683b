/** Requests to this server's REST interface. */

import { NotReachable, Refused } from "../protocol/frames.mjs";

const PATIENCE = 20_000;

/** The answer's JSON, or its text. Throws `Refused` with the server's code, or `NotReachable`. */
export async function rest(method, path, body, token) {
  const headers = { ...(body ? { "Content-Type": "application/json" } : {}), ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  let response;
  try {
    const signal = AbortSignal.timeout(PATIENCE);
    response = await fetch(path, { method, headers, body: body && JSON.stringify(body), credentials: "omit", signal });
  } catch {
    throw new NotReachable("the server cannot be reached");
  }
  const isJson = (response.headers.get("Content-Type") ?? "").includes("json");
  const said = isJson ? await response.json() : await response.text();
  if (response.ok) return said;
  throw new Refused(isJson ? said : { code: "internal", message: response.statusText });
}

/** The path of a room below `/api`. */
export const roomPath = (roomId, rest = "") => `/api/rooms/${encodeURIComponent(roomId)}${rest}`;
