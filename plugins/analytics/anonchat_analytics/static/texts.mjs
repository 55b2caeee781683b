/** What the operator reads of the sums. */

export const texts = {
  en: {
    "analytics.title": "Use",
    "analytics.step": "A point for each",
    "analytics.hour": "hour, of the last day",
    "analytics.day": "day, of the last 30 days",
    "analytics.messages": "Messages",
    "analytics.joins": "Joins",
    "analytics.peak_participants": "Most people at once",
    "analytics.rooms_created": "Rooms opened",
    "analytics.votes": "Votes",
    "analytics.limits_hit": "Acts refused by a limit",
    "analytics.about": { one: "about {count}", other: "about {count}" },
    "analytics.rounded": "Every number is rounded, so that nobody can be seen in it.",
  },
  de: {
    "analytics.title": "Nutzung",
    "analytics.step": "Ein Punkt für jede Zeit",
    "analytics.hour": "Stunde, des letzten Tages",
    "analytics.day": "Tag, der letzten 30 Tage",
    "analytics.messages": "Nachrichten",
    "analytics.joins": "Beitritte",
    "analytics.peak_participants": "Meiste Leute zugleich",
    "analytics.rooms_created": "Geöffnete Räume",
    "analytics.votes": "Stimmen",
    "analytics.limits_hit": "Von einer Grenze abgelehnt",
    "analytics.about": { one: "etwa {count}", other: "etwa {count}" },
    "analytics.rounded": "Jede Zahl ist gerundet, damit niemand darin zu sehen ist.",
  },
};
