/** Who came and went since one is here, gathered by the message after which it was; only for show, in small rooms. */

const MOST = 50;
const CROWD = 30;

const initial = []; // {after: seq of a message, came: [name], went: [name]}

function noted(part, data, messages) {
  const after = messages.list.at(-1)?.seq ?? 0;
  const last = part.at(-1);
  const group = last?.after === after ? last : { after, came: [], went: [] };
  const name = data.user.username;
  const [into, other] = data.event === "join" ? ["came", "went"] : ["went", "came"];
  const changed = group[other].includes(name)
    ? { ...group, [other]: group[other].filter((one) => one !== name) }
    : { ...group, [into]: [...group[into], name] };
  return [...(last === group ? part.slice(0, -1) : part), changed].slice(-MOST);
}

export const comings = {
  initial,
  apply(part, event, data, { messages }) {
    if (event === "history_chunk" && data.recovered === false) return initial;
    const isNoted = event === "presence" && ["join", "leave"].includes(data.event) && data.total <= CROWD;
    return isNoted ? noted(part, data, messages) : part;
  },
};
