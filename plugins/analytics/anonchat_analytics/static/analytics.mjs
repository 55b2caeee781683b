/** Charts of the sums, on the operator's page. Every number is rounded by the server. */

import { texts } from "./texts.mjs";

const METRICS = ["messages", "joins", "peak_participants", "rooms_created", "votes", "limits_hit"];
const PEAKS = new Set(["peak_participants"]); // the most of a time; that of all is the largest of them
const HEIGHT = 180;
const STEPS = ["hour", "day"];

/** `api` is what docs/plugin-web.md describes. */
export default function register(api) {
  const { html, t, times, rest, charts, useEffect, useRef, useSignal, components: { Problem } } = api;
  api.texts(texts);

  function Chart({ metric, step, token }) {
    const place = useRef(null);
    const problem = useSignal(null);
    const total = useSignal(null);
    useEffect(() => {
      let chart;
      let isOver = false;
      const draw = async () => {
        try {
          const [plot, { points }] = await Promise.all([charts(), rest("GET", `/api/analytics/series?metric=${metric}&step=${step}`, undefined, token)]);
          if (isOver) return;
          problem.value = null;
          total.value = together(metric, points.map(({ value }) => value));
          chart = new plot(look(place.current, step, times), [points.map(({ start }) => Date.parse(start) / 1_000), points.map(({ value }) => value)], place.current);
        } catch (error) {
          problem.value = error;
        }
      };
      draw();
      return () => {
        isOver = true;
        chart?.destroy();
      };
    }, [metric, step, token]);
    return html`
      <figure class="card chart">
        <figcaption><b>${t(`analytics.${metric}`)}</b> <span class="quiet">${total.value === null ? null : t("analytics.about", { count: total.value })}</span></figcaption>
        <div ref=${place} aria-hidden="true"></div>
        <${Problem} error=${problem.value} />
      </figure>`;
  }

  function Charts({ token }) {
    const step = useSignal("hour");
    return html`
      <section class="charts" aria-label=${t("analytics.title")}>
        <label>${t("analytics.step")}<select onChange=${(event) => (step.value = event.target.value)}>${STEPS.map((name) => html`<option value=${name}>${t(`analytics.${name}`)}</option>`)}</select></label>
        <div class="cards">${METRICS.map((metric) => html`<${Chart} key=${metric} metric=${metric} step=${step.value} token=${token} />`)}</div>
        <p class="hint">${t("analytics.rounded")}</p>
      </section>`;
  }
  api.add("operatorSections", { component: Charts });
}

/** The one number that a chart comes to. */
const together = (metric, values) => (PEAKS.has(metric) ? Math.max(0, ...values) : values.reduce((sum, value) => sum + value, 0));

/** The options of uPlot, in the colours and the language of the page. */
function look(place, step, times) {
  const style = getComputedStyle(place);
  const [quiet, line, accent] = ["--quiet", "--line", "--accent"].map((name) => style.getPropertyValue(name).trim());
  const axis = { stroke: quiet, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: "12px system-ui" };
  const told = step === "hour" ? times.clock : times.date;
  return {
    width: place.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_, __, most) => [0, Math.max(10, most * 1.1)] } },
    axes: [{ ...axis, space: 70, size: 28, values: (_, moments) => moments.map((seconds) => told(seconds * 1_000)) }, { ...axis, size: 44 }],
    series: [{}, { stroke: accent, width: 2, fill: `${accent}22`, points: { show: false } }],
  };
}
