/** Reads recordings `{name: [[frame, ...] of a connection, ...]}`, and prints what each client knows at the end. */

import { text } from "node:stream/consumers";

import { Reception } from "../../../anonchat/web/static/protocol/reception.mjs";
import { createStore } from "../../../anonchat/web/static/state/store.mjs";
import { PARTS } from "./plugged.mjs";

function known(connections) {
  const store = createStore(PARTS);
  const reception = new Reception();
  for (const frames of connections) {
    reception.begin();
    for (const frame of frames) {
      for (const { event, data, seq } of reception.accept(frame)) store.apply(event, data, { seq });
    }
  }
  const { messages, room, pins, polls, notifications, moderation } = store.state.value;
  const { actualParticipants, ...details } = room.details;
  return {
    // What plugins add stands in history alone; their own reducers know it from their events, too.
    list: messages.list.map(({ ext, ...wire }) => wire),
    details,
    pins: Object.entries(pins.all).map(([id, { ext, ...wire }]) => [id, wire]),
    polls: Object.values(polls).map(shown).sort((one, other) => one.pollId.localeCompare(other.pollId)),
    notifications,
    moderation,
  };
}

/** Of one's own vote in a poll that is closed who has just come is told nothing any more. */
const shown = ({ optionIds, voted, ...poll }) => (poll.closedAt === null ? { ...poll, optionIds, voted } : poll);

const recordings = JSON.parse(await text(process.stdin));
process.stdout.write(JSON.stringify(Object.fromEntries(Object.entries(recordings).map(([name, all]) => [name, known(all)]))));
