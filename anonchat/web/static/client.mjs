/** The page: its settings, what is kept, what plugins have added, and the room that one is in. */

import { environment, randomId } from "./browser/environment.mjs";
import { rest, roomPath } from "./browser/rest.mjs";
import { Drawers } from "./browser/drawers.mjs";
import { Registry } from "./registry.mjs";
import { direction, language, preferred, speak } from "./texts/catalogue.mjs";
import { effect, signal } from "./vendor/signals-core.mjs";

const PRESET = { theme: "auto", language: null, enterSends: true, sound: false, showsComings: true };

export class Client {
  registry = new Registry();
  session = signal(null);
  entering = signal(null); // id of the room that one is about to be in
  isIncomplete = signal(false); // what is wanted now could not be loaded
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
    addEventListener("storage", () => this.drawers.look()); // another tab has changed what is kept
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
    document.documentElement.lang = language();
    document.documentElement.dir = direction(language());
  }

  /** Load what a room needs, and what plugins add to it. Throws if that is not to be had. */
  load() {
    this.#loading ??= this.#load().catch((error) => {
      this.#loading = null;
      throw error;
    });
    return this.#loading;
  }

  async #load() {
    const stay = await import("./stay.mjs");
    const plugins = [...document.querySelectorAll("meta[name=plugin]")];
    const modules = plugins.map(({ content, dataset }) => ({ owner: dataset.owner, url: content }));
    await this.registry.load(modules, (owner) => stay.apiOf(this, owner));
    this.stay = stay;
  }

  // --- rooms

  /** What is kept about a room. */
  drawerOf(roomId) {
    return this.drawers.named(`room ${roomId}`);
  }

  /** Go to a room with its secret, which leaves the address bar at once. */
  visit(roomId, secret) {
    const message = /^message=([\w-]{1,64})$/.exec(secret ?? "")?.[1];
    if (secret && message === undefined) {
      this.drawerOf(roomId).set("secret", secret);
      this.forgetClosed();
    }
    const path = `${this.isEmbedded ? "/embed" : ""}/r/${encodeURIComponent(roomId)}`;
    if (location.pathname !== path) history.pushState(null, "", path);
    else if (location.hash !== "") history.replaceState(null, "", path);
    const membership = this.drawerOf(roomId).get("membership");
    this.isIncomplete.value = false;
    if (membership) this.enter(roomId, membership).then((isIn) => isIn && message !== undefined && this.session.value.showFirst(message));
    this.view.value = { name: "room", roomId };
  }

  /** Back to the front page, which is not embedded anywhere. */
  home() {
    if (this.isEmbedded) return;
    this.forgetClosed();
    history.pushState(null, "", "/");
    this.view.value = { name: "home" };
  }

  /** How a stay has ended was read by who goes on; the way in may be open again. */
  forgetClosed() {
    if (this.session.value?.chat.status.value.kind === "over") this.session.value = null;
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
    const membership = await rest("POST", roomPath(roomId, "/join"), { ...body, inviteToken: secret });
    return membership.role === "moderator" ? membership : { ...membership, invite: secret };
  }

  /** Be in a room: whether that is so. The page says how to go on where a server that was renewed has its modules no more. */
  async enter(roomId, membership) {
    if (this.session.value?.roomId === roomId) return true;
    this.entering.value = roomId;
    try {
      await this.load();
    } catch {
      this.isIncomplete.value = true;
      return false;
    } finally {
      this.entering.value = null;
    }
    this.session.value?.chat.close();
    const drawer = this.drawerOf(roomId);
    const { registry } = this;
    this.session.value = new this.stay.Session({ roomId, membership, registry, environment, drawer });
    this.session.value.start();
    return true;
  }

  /** Leave for good; `forget` also deletes what one wrote, where the room allows it. Throws `Refused` or `NotReachable`. */
  async leave(forget) {
    const { roomId, token, chat } = this.session.value;
    await rest("POST", roomPath(roomId, "/leave"), { forget }, token);
    chat.close();
    this.drawerOf(roomId).clear();
    this.forgetClosed();
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
