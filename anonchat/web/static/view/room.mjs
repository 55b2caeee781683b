/** The room: head, facts, connection, conversation, composer, and what is open beside them. */

import { html, useEffect, useLayoutEffect, useRef } from "../ui.mjs";
import { followViewport } from "../browser/viewport.mjs";
import { t } from "../texts/catalogue.mjs";
import { isKnown, moderators } from "../state/selectors.mjs";
import { Banner } from "./banner.mjs";
import { Composer } from "./composer.mjs";
import { useClient, useSession } from "./context.mjs";
import { Conversation } from "./conversation.mjs";
import { About } from "./about.mjs";
import { lifeOf, moderation } from "./facts.mjs";
import { Menu } from "./menu.mjs";
import { IconButton, Problem } from "./parts.mjs";
import { People } from "./people.mjs";
import { Plugged } from "./plugged.mjs";
import { Settings } from "./settings.mjs";
import { Share } from "./share.mjs";
import { Shortcuts } from "./shortcuts.mjs";

/** What can be opened beside the conversation; plugins add theirs. */
const PANELS = [{ owner: "anonchat", id: "people", label: () => t("people.title"), icon: "people", count: (state) => state.people.total, component: People }];

/** What can be opened above everything; on a small screen by way of a menu. */
const DIALOGS = [
  { icon: "share", label: () => t("share.title"), component: Share },
  { icon: "info", label: () => t("about.title"), component: About },
  { icon: "settings", label: () => t("settings.title"), component: Settings },
];

export function RoomView() {
  const session = useSession();
  useEffect(() => {
    document.addEventListener("keydown", shortcut);
    return () => document.removeEventListener("keydown", shortcut);
  }, []);
  useEffect(() => followViewport(), []);
  const shortcut = (event) => {
    const isTyping = event.target.matches?.("input, textarea, select");
    if (event.key === "?" && !isTyping) session.dialog.value = () => html`<${Shortcuts} />`;
  };
  return html`
    <${Tab} />
    <div class="room">
      <a class="skip" href="#composer" onClick=${toField}>${t("room.skip")}</a>
      <${Head} />
      <${Banner} />
      ${session.registry.bars.map((bar) => html`<${Plugged} added=${bar} />`)}
      <div class="middle">
        <main class="talk">
          <${Conversation} />
          <${Refusal} />
          <${Composer} />
        </main>
        <${Panel} />
      </div>
      <p class="hidden" role="status" aria-live="polite">${session.attention.spoken}</p>
    </div>
    <${Above} />`;
}

/** The field gets the focus, and the address bar nothing: what stands behind a # there is a secret. */
function toField(event) {
  event.preventDefault();
  document.getElementById("composer").focus();
}

function Head() {
  const session = useSession();
  const { room, people } = session.state;
  const state = session.state;
  const panels = [...PANELS, ...session.registry.panels].filter((panel) => panel.fits?.(state) ?? true);
  const open = (component) => () => (session.dialog.value = () => html`<${component} />`);
  return html`
    <header class="head">
      <div class="title">
        <h1 dir="auto">${isKnown(state) ? room.details.title : t("waiting")}</h1>
        <button type="button" class="facts-line" onClick=${open(About)}>
          ${isKnown(state) ? html`<span>${lifeOf(room.details)[0]}</span><span>${lifeOf(room.details)[1]}</span><span>${moderation(moderators(state))}</span>` : t("banner.connecting")}
        </button>
      </div>
      <nav class="tools" aria-label=${t("room.tools")}>
        ${panels.map((panel) => html`<${PanelButton} panel=${panel} />`)}
        ${DIALOGS.map(({ icon, label, component }) => html`<${IconButton} icon=${icon} kind="wide-only" label=${label()} onClick=${open(component)} />`)}
        <${IconButton} icon="more" kind="narrow-only" label=${t("room.more")} onClick=${open(More)} />
      </nav>
    </header>`;
}

function More() {
  const session = useSession();
  const actions = [...DIALOGS, { icon: "keys", label: () => t("shortcuts.title"), component: Shortcuts }];
  const run = (component) => () => (session.dialog.value = () => html`<${component} />`);
  return html`<${Menu} title=${session.state.room.details.title} actions=${actions.map((one) => ({ ...one, run: run(one.component) }))} />`;
}

function PanelButton({ panel }) {
  const session = useSession();
  const isOpen = session.panel.value === panel.id;
  const count = panel.count?.(session.state);
  return html`
    <${IconButton} icon=${panel.icon} count=${count} aria-expanded=${isOpen}
      label=${count ? t("panel.counted", { label: panel.label(), count }) : panel.label()}
      onClick=${() => (session.panel.value = isOpen ? null : panel.id)} />`;
}

function Panel() {
  const session = useSession();
  const panel = [...PANELS, ...session.registry.panels].find(({ id }) => id === session.panel.value);
  const heading = useFocusInside(panel?.id);
  const keep = useFocusKept(heading);
  if (panel === undefined) return null;
  const close = () => (session.panel.value = null);
  return html`
    <aside class="panel" aria-labelledby="panel-title" ref=${keep.element} onFocusIn=${keep.focused} onKeyDown=${(event) => event.key === "Escape" && close()}>
      <header class="panel-head"><h2 id="panel-title" tabindex="-1" ref=${heading}>${panel.label()}</h2><${IconButton} icon="close" label=${t("action.close")} onClick=${close} /></header>
      <${Plugged} key=${panel.id} added=${panel} />
    </aside>`;
}

/** What goes while it has the focus, such as an entry that was decided, gives it to the heading. */
function useFocusKept(heading) {
  const last = useRef(null);
  const observer = useRef(new MutationObserver(() => {
    if (last.current?.isConnected !== false || document.activeElement !== document.body) return;
    last.current = null;
    heading.current?.focus();
  }));
  const element = useRef((panel) => (panel === null ? observer.current.disconnect() : observer.current.observe(panel, { childList: true, subtree: true })));
  return { element: element.current, focused: (event) => (last.current = event.target) };
}

/** What is opened gets the focus, and gives it back when it is closed with it. */
function useFocusInside(id) {
  const heading = useRef(null);
  useLayoutEffect(() => { // before anybody sees it, so that no key comes too early
    if (id === undefined) return undefined;
    const before = document.activeElement;
    heading.current.focus();
    return () => document.activeElement === document.body && before.isConnected && before.focus();
  }, [id]);
  return heading;
}

/** Why the last act was refused. */
function Refusal() {
  const session = useSession();
  const error = session.problem.value;
  const unchanged = session.unchanged.value;
  const close = () => {
    if (unchanged !== null) session.forget(unchanged);
    session.problem.value = session.unchanged.value = null;
  };
  return html`
    <div class="refusal" hidden=${error === null && unchanged === null}>
      <div><${Problem} error=${error} />${unchanged === null ? null : html`<${Unchanged} change=${unchanged} />`}</div>
      <${IconButton} icon="close" label=${t("action.close")} onClick=${close} />
    </div>`;
}

/** What a message was to become. It goes to the field when one asks for it: something else may be written there. */
function Unchanged({ change }) {
  const session = useSession();
  const edit = () => {
    session.problem.value = session.unchanged.value = null;
    session.editing.value = change;
  };
  return html`
    <p>${t("composer.unchanged")} <q dir="auto">${change.text}</q></p>
    <button type="button" class="button small" onClick=${edit}>${t("action.edit")}</button>`;
}

function Above() {
  const dialog = useSession().dialog.value;
  return dialog === null ? null : dialog();
}

/** The title and the icon of the tab tell what is new; that one is meant differs from that something is new. */
function Tab() {
  const { attention, store } = useSession();
  const client = useClient();
  const { title } = store.state.value.room.details;
  const [unread, mentions] = [attention.unread.value, attention.mentions.value];
  useEffect(() => {
    document.title = unread === 0 ? title ?? "anonchat" : `(${unread}${mentions > 0 ? " @" : ""}) ${title}`;
    const icon = document.querySelector("link[rel=icon]");
    icon.href = icon.href.replace(/icon[^/]*\.svg$/, mentions > 0 ? "icon-mention.svg" : unread > 0 ? "icon-unread.svg" : "icon.svg");
  }, [title, unread, mentions, client]);
  return null;
}
