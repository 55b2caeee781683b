/** What a plugin's module is given: the ways to add something, and everything to write it with. */

import { randomId } from "./browser/environment.mjs";
import { rest, roomPath } from "./browser/rest.mjs";
import { PluginApi } from "./registry.mjs";
import { isModerator, isOwn, mentionsMe, messageOf } from "./state/selectors.mjs";
import { removal } from "./state/messages.mjs";
import { t } from "./texts/catalogue.mjs";
import * as times from "./texts/times.mjs";
import * as ui from "./ui.mjs";
import { now } from "./view/clock.mjs";
import { Confirm } from "./view/confirm.mjs";
import { useClient, useSession } from "./view/context.mjs";
import { Icon } from "./view/icons.mjs";
import { Avatar, Copyable, Dialog, IconButton, Name, Problem, reason } from "./view/parts.mjs";
import { Rich } from "./view/rich.mjs";
import { Switch } from "./view/settings.mjs";

/** uPlot and its style sheet, for who draws charts; loaded when they are. */
async function charts() {
  const style = document.createElement("link");
  Object.assign(style, { rel: "stylesheet", href: new URL("./vendor/uplot.css", import.meta.url).href });
  if (document.querySelector(`link[href="${style.href}"]`) === null) document.head.append(style);
  return (await import("./vendor/uplot.mjs")).default;
}

const GIVEN = {
  ...ui, t, times, now, randomId, rest, roomPath, removal, reason, charts,
  components: { Avatar, Confirm, Copyable, Dialog, Icon, IconButton, Name, Problem, Rich, Switch },
  selectors: { isModerator, isOwn, mentionsMe, messageOf },
  useClient, useSession,
};

/** What the plugin with that name gets; `room()` is the session of the room that one is in, and `serverNow()` the time there. */
export function apiOf(client, owner) {
  const room = () => client.session.value;
  const serverNow = () => room().chat.serverTime(now.value);
  // What a plugin keeps about a room lies in a drawer of its own, and goes as all else goes.
  const drawer = (name) => () => client.drawers.named(`room ${room().roomId}:${name}`);
  return new PluginApi(client.registry, owner, { ...GIVEN, client, room, serverNow, drawer });
}
