/** What stands in the conversation, row by row. Pure. */

const TOGETHER = 5 * 60_000; // ms within which messages of one author stand under one name

/**
 * Rows of messages: `{kind: "day", key, time}`, `{kind: "line", key}`, `{kind: "comings", key, came, went}`, and
 * `{kind: "message", key, wire, isFirst}`, where `isFirst` begins a group. `line` is the seq after which all is new.
 */
export function rowsOf(list, { line = null, comings = [], isOwn = () => false } = {}) {
  const rows = [];
  let before;
  let isLined = line === null;
  const groups = new Map(comings.map((group) => [group.after, group]));
  for (const wire of list) {
    const isNewDay = before === undefined || new Date(before.createdAt).toDateString() !== new Date(wire.createdAt).toDateString();
    if (isNewDay) rows.push({ kind: "day", key: `day ${wire.id}`, time: wire.createdAt });
    const isNew = !isLined && wire.seq > line && !isOwn(wire);
    if (isNew) rows.push({ kind: "line", key: "line" });
    isLined ||= isNew;
    const isFirst = isNewDay || isNew || startsGroup(before, wire);
    rows.push({ kind: "message", key: wire.id, wire, isFirst });
    before = wire;
    const group = groups.get(wire.seq);
    if (group !== undefined && group.came.length + group.went.length > 0) {
      rows.push({ kind: "comings", key: `comings ${wire.seq}`, ...group });
      before = { ...wire, authorSessionId: null };
    }
  }
  return rows;
}

const startsGroup = (before, wire) =>
  before.authorSessionId !== wire.authorSessionId || wire.replyToId !== undefined ||
  Date.parse(wire.createdAt) - Date.parse(before.createdAt) > TOGETHER;

/** Which part of the messages is in the page: around `top`, the seq of the first, or the newest where that is null. */
export function windowOf(list, top, size) {
  if (top === null) return { start: Math.max(0, list.length - size), end: list.length };
  const found = list.findIndex((wire) => wire.seq >= top);
  const start = found < 0 ? Math.max(0, list.length - size) : found;
  return { start, end: Math.min(list.length, start + size) };
}
