/** Begins the web client on a page of the server. */

import { Client } from "./client.mjs";
import { decoded } from "./text/links.mjs";
import { html, render } from "./ui.mjs";
import { App } from "./view/app.mjs";

function route(client) {
  const room = /^(?:\/embed)?\/r\/([^/]+)\/?$/.exec(location.pathname);
  if (room !== null) client.visit(decoded(room[1]) ?? room[1], decoded(location.hash.slice(1)));
  else client.view.value = { name: location.pathname === "/admin" ? "admin" : "home" };
}

const client = new Client();
await client.begin();
route(client);
addEventListener("popstate", () => route(client));
addEventListener("hashchange", () => route(client));
render(html`<${App} client=${client} />`, document.getElementById("app"));
