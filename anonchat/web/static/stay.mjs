/** Everything that is needed in a room and not before; loaded while somebody reads what they are invited to. */

export { apiOf } from "./plugin_api.mjs";
export { Session } from "./session.mjs";
export { Closing } from "./view/closing.mjs";
export { RoomView } from "./view/room.mjs";
