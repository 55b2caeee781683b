/** Links and codes into a room: `https://server/r/<roomId>#<secret>`, and the same without the server, `<roomId>#<secret>`. */

/** What stands in a part of an address, or null where that is not whole: a broken `%`. */
export function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}

/** `{roomId, secret}` of what somebody has pasted, or null. A link to another server is null, too, unless `origin` is its own. */
export function parseLink(text, origin) {
  const trimmed = text.trim();
  const code = /^([\w-]{1,64})#([\w-]{1,128})$/.exec(trimmed);
  if (code !== null) return { roomId: code[1], secret: code[2] };
  if (!URL.canParse(trimmed)) return null;
  const url = new URL(trimmed);
  const path = /^\/r\/([\w-]{1,64})\/?$/.exec(url.pathname);
  const secret = decoded(url.hash.slice(1));
  return path !== null && secret && url.origin === origin ? { roomId: path[1], secret } : null;
}

export const linkOf = (origin, roomId, secret) => `${origin}/r/${roomId}#${secret}`;
export const codeOf = (roomId, secret) => `${roomId}#${secret}`;
