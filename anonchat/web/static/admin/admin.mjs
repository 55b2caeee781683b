/** The operator's page: how the server is, in numbers. It shows no room from the inside; nobody can be read here. */

import { html, useEffect, useSignal } from "../ui.mjs";
import { rest } from "../browser/rest.mjs";
import { t } from "../texts/catalogue.mjs";
import { useClient } from "../view/context.mjs";
import { Languages } from "../view/languages.mjs";
import { Problem } from "../view/parts.mjs";
import { Plugged } from "../view/plugged.mjs";
import { Rooms } from "./rooms.mjs";
import { samples, sumOf } from "./samples.mjs";

const PAUSE = 5_000; // ms between two looks
const MEGABYTE = 1_000_000;

export function Admin() {
  const client = useClient();
  const drawer = client.drawers.named("operator");
  const token = useSignal(drawer.get("token") ?? null);
  const problem = useSignal(null);
  useEffect(() => {
    document.title = t("admin.title");
  });
  const enter = async (event) => {
    event.preventDefault();
    const given = new FormData(event.target).get("token").trim();
    try {
      await rest("GET", "/metrics", undefined, given);
      drawer.set("token", given);
      token.value = given;
    } catch (error) {
      problem.value = error;
    }
  };
  const leave = () => {
    drawer.clear();
    token.value = null;
  };
  return html`
    <div class="page">
      <header class="page-head"><a class="brand" href="/">anonchat</a><div class="row">
        ${token.value ? html`<button type="button" class="button small" onClick=${leave}>${t("admin.leave")}</button>` : null}<${Languages} /></div>
      </header>
      <main class="front ${token.value ? "" : "narrow"}">
        ${token.value ? html`<${Numbers} token=${token.value} />` : html`
          <form class="card" onSubmit=${enter}>
            <h1>${t("admin.title")}</h1>
            <label>${t("admin.token")}<input name="token" type="password" required autocomplete="off" autofocus /></label>
            <p class="hint">${t("admin.hint")}</p>
            <${Problem} error=${problem.value} />
            <button class="button primary">${t("admin.enter")}</button>
          </form>`}
      </main>
      <footer class="page-foot"><a href="/privacy">${t("privacy.link")}</a></footer>
    </div>`;
}

function Numbers({ token }) {
  const client = useClient();
  const seen = useSignal(null);
  const problem = useSignal(null);
  useEffect(() => {
    const look = async () => {
      try {
        const [ready, text, { databaseBytes }] = await Promise.all([
          health(), rest("GET", "/metrics", undefined, token), rest("GET", "/api/operator/storage", undefined, token),
        ]);
        seen.value = { ready, all: samples(text), databaseBytes };
        problem.value = null;
      } catch (error) {
        problem.value = error;
      }
    };
    look();
    const timer = setInterval(look, PAUSE);
    return () => clearInterval(timer);
  }, [token]);
  return html`
    <h1 class="admin-title">${t("admin.title")}</h1>
    <${Problem} error=${problem.value} />
    ${seen.value === null ? html`<p class="waiting" role="status">${t("waiting")}</p>` : html`<${Tiles} all=${seen.value.all} databaseBytes=${seen.value.databaseBytes} /><${Health} ready=${seen.value.ready} />`}
    <${Rooms} token=${token} />
    ${client.registry.operatorSections.map((section) => html`<${Plugged} added=${section} token=${token} />`)}`;
}

/** Also when it is 503, for then it says what is wrong. */
async function health() {
  const response = await fetch("/health/ready", { credentials: "omit" });
  return response.json();
}

function Tiles({ all, databaseBytes }) {
  const mean = sumOf(all, "anonchat_send_seconds_sum") / Math.max(1, sumOf(all, "anonchat_send_seconds_count"));
  const tiles = [
    ["connections", sumOf(all, "anonchat_connections")],
    ["rooms", sumOf(all, "anonchat_rooms_active")],
    ["messages", sumOf(all, "anonchat_messages_total")],
    ["commit", Math.round(mean * 10_000) / 10],
    ["storage", Math.round(databaseBytes / MEGABYTE * 10) / 10],
    ["errors", sumOf(all, "anonchat_errors_total")],
    ["purged", sumOf(all, "anonchat_rooms_purged_total")],
    ["retention", sumOf(all, "anonchat_retention_messages_total")],
    ["blocked", sumOf(all, "anonchat_loop_blocked_total")],
  ];
  return html`<dl class="tiles">${tiles.map(([name, value]) => html`
    <div class="tile"><dt>${t(`admin.${name}`)}</dt><dd>${t("admin.number", { value })}</dd></div>`)}</dl>`;
}

function Health({ ready }) {
  const states = { ...ready.dependencies, ...ready.plugins, retention: ready.retentionOverdue ? t("admin.overdue") : t("admin.inTime") };
  return html`
    <section class="card">
      <h2>${t("admin.health")}</h2>
      <dl class="states">${Object.entries(states).map(([name, state]) => html`<div><dt>${name}</dt><dd>${state}</dd></div>`)}</dl>
    </section>`;
}
