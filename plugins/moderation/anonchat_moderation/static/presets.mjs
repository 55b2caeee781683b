/** The presets of rules, to choose one. */

export const PRESETS = ["relaxed", "careful", "strict"];

/** What is asked when a room is opened. */
export function creationOf({ html, t }) {
  const component = () => html`
    <label>${t("moderation.preset")}<select name="moderation.preset"><option value="">${t("moderation.preset.server")}</option>
      ${PRESETS.map((name) => html`<option value=${name}>${t(`moderation.preset.${name}`)}: ${t(`moderation.preset.${name}For`)}</option>`)}</select></label>`;
  const settings = (form) => (form.get("moderation.preset") ? { moderation: { preset: form.get("moderation.preset") } } : {});
  return { component, settings };
}
