/** Reads recordings `{name: [[frame, ...] of a connection, ...]}`, and prints what each client knows at the end. */

import { text } from "node:stream/consumers";

import { Reception } from "../../../anonchat/web/static/protocol/reception.mjs";
import { createStore } from "../../../anonchat/web/static/state/store.mjs";

function known(connections) {
  const store = createStore();
  const reception = new Reception();
  for (const frames of connections) {
    reception.begin();
    for (const frame of frames) {
      for (const { event, data, seq } of reception.accept(frame)) store.apply(event, data, { seq });
    }
  }
  const { messages, room } = store.state.value;
  const { actualParticipants, ...details } = room.details;
  // What plugins add stands in history alone; their own reducers know it from their events, too.
  return { list: messages.list.map(({ ext, ...wire }) => wire), details };
}

const recordings = JSON.parse(await text(process.stdin));
process.stdout.write(JSON.stringify(Object.fromEntries(Object.entries(recordings).map(([name, all]) => [name, known(all)]))));
