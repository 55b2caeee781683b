/** What people read of pins. */

export const texts = {
  en: {
    "pins.pin": "Pin",
    "pins.unpin": "Unpin",
    "pins.pinned": "pinned",
    "pins.title": "Pinned messages",
    "pins.all": { one: "{count} pinned message", other: "All {count} pinned messages" },
    "pins.unknown": "An older message",
    "error.too_many_pins": "Too many messages are pinned. Unpin one first.",
    "receipt.pins_pinned": { one: "{count} pin", other: "{count} pins" },
  },
  de: {
    "pins.pin": "Anheften",
    "pins.unpin": "Lösen",
    "pins.pinned": "angeheftet",
    "pins.title": "Angeheftete Nachrichten",
    "pins.all": { one: "{count} angeheftete Nachricht", other: "Alle {count} angehefteten Nachrichten" },
    "pins.unknown": "Eine ältere Nachricht",
    "error.too_many_pins": "Zu viele Nachrichten sind angeheftet. Löse zuerst eine.",
    "receipt.pins_pinned": { one: "{count} angeheftete Nachricht", other: "{count} angeheftete Nachrichten" },
  },
  said: {
    de: {
      "This message is not pinned.": "Diese Nachricht ist nicht angeheftet.",
    },
  },
};
