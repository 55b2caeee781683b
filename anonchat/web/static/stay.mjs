/** Everything that is needed in a room and not before; loaded while somebody reads what they are invited to. */

export { doorOf } from "./door.mjs";
export { Session } from "./session.mjs";
export { Closing } from "./view/closing.mjs";
export { RoomView } from "./view/room.mjs";
