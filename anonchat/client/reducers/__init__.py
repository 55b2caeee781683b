"""What the events of the bundled plugins make of a room. A part of `RoomState` each, and as pure."""
