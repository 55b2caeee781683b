/** What can be written as `/command`. */

import { html } from "../ui.mjs";
import { t } from "../texts/catalogue.mjs";
import { About } from "./about.mjs";
import { Settings } from "./settings.mjs";
import { Share } from "./share.mjs";
import { Shortcuts } from "./shortcuts.mjs";

const dialog = (component) => (session) => (session.dialog.value = () => html`<${component} />`);

const OWN = [
  { name: "share", label: () => t("share.title"), run: dialog(Share) },
  { name: "settings", label: () => t("settings.title"), run: dialog(Settings) },
  { name: "people", label: () => t("people.title"), run: (session) => (session.panel.value = "people") },
  { name: "leave", label: () => t("leave.title"), run: dialog(About) },
  { name: "help", label: () => t("shortcuts.title"), run: dialog(Shortcuts) },
];

const all = (session) => [...OWN, ...session.registry.commands.filter((one) => one.fits?.(session.state) ?? true)];

/** `[{name, label}]` of what can be done here. */
export const commandsOf = (session) => all(session).map(({ name, label }) => ({ name, label: label() }));

/** Do what a text says, if it is a command: whether it was one. */
export function obey(text, session) {
  const found = /^\/(\w+)(?:\s+([^]*))?$/.exec(text);
  const command = found && all(session).find(({ name }) => name === found[1]);
  if (!command) return false;
  command.run(session, found[2] ?? "");
  return true;
}
