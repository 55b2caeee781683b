/** The page: its settings, what is kept, what plugins have added, and the room that one is in. */

import { environment, randomId } from "./browser/environment.mjs";
import { rest, roomPath } from "./browser/rest.mjs";
import { Drawers } from "./browser/drawers.mjs";
import { Registry } from "./registry.mjs";
import { direction, preferred, speak } from "./texts/catalogue.mjs";
import { effect, signal } from "./vendor/signals-core.mjs";

const PRESET = { theme: "auto", language: null, enterSends: true, sound: false, showsComings: true };

export class Client {
  registry = new Registry();
  session = signal(null);
  entering = signal(null); // id of the room that one is about to be in
  isEmbedded = location.pathname.startsWith("/embed/"); // in the page of another site
  stay = null; // what `stay.mjs` has, once it is loaded
  #loading = null;
  view = signal({ name: "home" });

  constructor() {
    this.drawers = new Drawers(attempt(() => sessionStorage), attempt(() => localStorage));
    this.settings = signal({ ...PRESET, ...this.drawers.named("settings").get("all") });
  }

  /** Follow the settings: language, direction and colours of the page. */
  async begin() {
    await this.#speak();
    document.documentElement.classList.toggle("embedded", this.isEmbedded);
    effect(() => {
      const { theme } = this.settings.value;
      if (theme === "auto") delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = theme;
    });
  }

  /** Change settings: `{name: value}`. */
  async set(changes) {
    this.settings.value = { ...this.settings.value, ...changes };
    this.drawers.named("settings").set("all", this.settings.value);
    if ("language" in changes) await this.#speak();
  }

  async #speak() {
    const chosen = this.settings.value.language ?? preferred(navigator.languages);
    await speak(chosen);
    document.documentElement.lang = chosen;
    document.documentElement.dir = direction(chosen);
  }

  /** Load what a room needs, and what plugins add to it. */
  load() {
    this.#loading ??= import("./stay.mjs").then(async (stay) => {
      const plugins = [...document.querySelectorAll("meta[name=plugin]")];
      const modules = plugins.map(({ content, dataset }) => ({ owner: dataset.owner, url: content }));
      await this.registry.load(modules, (owner) => stay.doorOf(this, owner));
      this.stay = stay;
    });
    return this.#loading;
  }

  // --- rooms

  /** What is kept about a room. */
  drawerOf(roomId) {
    return this.drawers.named(`room ${roomId}`);
  }

  /** Go to a room with its secret, which leaves the address bar at once. */
  visit(roomId, secret) {
    const message = /^message=([\w-]{1,64})$/.exec(secret ?? "")?.[1];
    if (secret && message === undefined) this.drawerOf(roomId).set("secret", secret);
    const path = `${this.isEmbedded ? "/embed" : ""}/r/${encodeURIComponent(roomId)}`;
    if (location.pathname !== path) history.pushState(null, "", path);
    else if (location.hash !== "") history.replaceState(null, "", path);
    const membership = this.drawerOf(roomId).get("membership");
    if (membership) this.enter(roomId, membership).then(() => message === undefined || this.session.value.showFirst(message));
    this.view.value = { name: "room", roomId };
  }

  /** Back to the front page, which is not embedded anywhere. */
  home() {
    if (this.isEmbedded) return;
    history.pushState(null, "", "/");
    this.view.value = { name: "home" };
  }

  /** Join a room under a name. Throws `Refused`. */
  async join(roomId, username) {
    const drawer = this.drawerOf(roomId);
    const secret = drawer.get("secret") ?? "";
    const deviceId = drawer.get("device") ?? randomId();
    const body = { username, deviceId };
    const membership = await this.#joined(roomId, secret, body);
    drawer.set("device", deviceId);
    drawer.set("membership", membership);
    await this.enter(roomId, membership);
  }

  /** A secret is that of an invite or the moderators'; only the server can tell. A moderator's is not to be passed on. */
  async #joined(roomId, secret, body) {
    const path = roomPath(roomId, "/join");
    try {
      const membership = await rest("POST", path, { ...body, inviteToken: secret });
      return membership.role === "moderator" ? membership : { ...membership, invite: secret };
    } catch (error) {
      if (error.code !== "invalid_invite") throw error;
      return rest("POST", path, { ...body, moderatorToken: secret });
    }
  }

  /** Be in a room. */
  async enter(roomId, membership) {
    if (this.session.value?.roomId === roomId) return;
    this.entering.value = roomId;
    await this.load();
    this.session.value?.chat.close();
    const drawer = this.drawerOf(roomId);
    const { registry } = this;
    this.session.value = new this.stay.Session({ roomId, membership, registry, environment, drawer });
    this.entering.value = null;
    this.session.value.start();
  }

  /** Forget that one was in the room; with the secret one can come again, also under another name. */
  drop(roomId) {
    this.drawerOf(roomId).set("membership", undefined);
    this.drawerOf(roomId).set("outbox", undefined);
    this.session.value?.chat.close();
    this.session.value = null;
  }

  /** Leave for good; `forget` also deletes what one wrote, where the room allows it. Throws `Refused` or `NotReachable`. */
  async leave(forget) {
    const { roomId, token } = this.session.value;
    await rest("POST", roomPath(roomId, "/leave"), { forget }, token);
    this.drop(roomId);
    this.drawerOf(roomId).clear();
    this.home();
  }
}

function attempt(act) {
  try {
    return act();
  } catch {
    return undefined; // a browser that forbids storage
  }
}
