/** What may call: for each room all, mentions or nothing; the permission is asked for after a click that explains it. */

const CHOICES = ["all", "mentions", "none"];

/** `wishes` is the drawer of the room, `system` shows notes. */
export function settingsOf(api, wishes, system) {
  const { html, t, useSignal, components: { Switch } } = api;

  return function Settings() {
    const wanted = useSignal(wishes().get("wanted") ?? "mentions");
    const permission = useSignal(globalThis.Notification?.permission ?? "denied");
    const choose = (name) => {
      wanted.value = name;
      wishes().set("wanted", name);
    };
    const ask = async () => {
      if (system.test()) permission.value = await Notification.requestPermission();
    };
    return html`
      <fieldset class="choices"><legend>${t("notifications.wanted")}</legend>
        ${CHOICES.map((name) => html`<label><input type="radio" name="wanted" checked=${wanted.value === name} onChange=${() => choose(name)} />${t(`notifications.wants.${name}`)}</label>`)}
      </fieldset>
      ${system.isUnable.value ? html`<p class="hint" role="status">${t("notifications.unable")}</p>` : permission.value === "default" ? html`<div class="setting"><small>${t("notifications.why")}</small><button type="button" class="button small" onClick=${ask}>${t("notifications.ask")}</button></div>` : null}
      <${Switch} name="sound" />`;
  };
}
