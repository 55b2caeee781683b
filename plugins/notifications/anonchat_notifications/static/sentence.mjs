/** What a notification says, in the list and in a call from the system alike. */

export const sentenceOf = (t, { type, message, voters, act }) =>
  t(`notifications.${type}`, { name: message?.authorUsername ?? "", count: voters ?? 0, act: t(`notifications.act.${act ?? "none"}`) });
