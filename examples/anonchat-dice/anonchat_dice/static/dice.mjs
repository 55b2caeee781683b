/** Dice in anonchat's web client: a button that rolls, and rolls that look like dice. */

const FACES = ["⚀", "⚁", "⚂", "⚃", "⚄", "⚅"];
const DICE = 2;

/** `api` is what anonchat's docs/plugin-web.md describes. */
export default function register(api) {
  const { html, room, t } = api;
  api.texts({
    en: { "dice.roll": "Roll two dice", "dice.total": "{total} in all" },
    de: { "dice.roll": "Zwei Würfel werfen", "dice.total": "zusammen {total}" },
  });
  api.add("composerActions", { id: "dice", icon: "dice", label: () => t("dice.roll"), fits: () => true, run: () => room().chat.post(`/roll ${DICE}d6`) });

  const shown = (sides, result) => (sides === FACES.length ? FACES[result - 1] : result);
  api.renderer(({ content }) => content.dice !== undefined, ({ message }) => {
    const { sides, results, total } = message.content.dice;
    return html`
      <p class="rich" aria-label=${message.content.text}>
        <strong class="lead">${results.map((result) => shown(sides, result)).join(" ")}</strong> <span class="quiet">${t("dice.total", { total })}</span>
      </p>`;
  });
}
