/** What somebody has not seen yet, and what is read out to those who listen. */

import { computed, signal } from "./vendor/signals-core.mjs";
import { isOwn, mentionsMe } from "./state/selectors.mjs";
import { t } from "./texts/catalogue.mjs";

const GATHER = 800; // ms in which messages come together and are summed up
const MOST_READ_OUT = 3;

export class Attention {
  line = signal(null); // seq after which everything is new; frozen while one looks at it
  spoken = signal(""); // for screen readers, politely
  #store;
  #drawer;
  #gathered = [];
  #isLive = false;

  constructor(store, drawer) {
    this.#store = store;
    this.#drawer = drawer;
    this.isLooking = signal(true);
    this.line.value = drawer.get("read") ?? null;
    this.news = computed(() => {
      if (this.line.value === null) return [];
      const state = store.state.value;
      return state.messages.list.filter((wire) => wire.seq > this.line.value && !isOwn(wire, state));
    });
    this.unread = computed(() => (this.isLooking.value ? 0 : this.news.value.length));
    this.mentions = computed(() => (this.isLooking.value ? 0 : this.news.value.filter((wire) => mentionsMe(wire, store.state.value)).length));
  }

  /** Whether somebody looks at the newest messages now. The line stays where it was until they look away again. */
  look(isLooking) {
    if (this.isLooking.value === isLooking) return;
    this.isLooking.value = isLooking;
    if (isLooking) this.#remember();
    else this.line.value = this.#newest();
  }

  /** All is read: the line goes. */
  clear() {
    this.line.value = null;
  }

  /** Called with each event, after the store has taken it. */
  happened(event, data, state) {
    if (event === "identified") this.#isLive = false;
    if (event === "caught_up") {
      this.#isLive = true;
      if (data.missed > 0) this.speak(t("list.missed", { count: data.missed }));
    }
    if (event !== "message") return;
    if (this.isLooking.value) this.#remember();
    if (this.#isLive && !isOwn(data, state)) this.#gather(t("message.sentence", { name: data.authorUsername, text: data.content.text ?? "" }));
  }

  /** Say something to those who listen. */
  speak(text) {
    this.spoken.value = text;
  }

  #gather(sentence) {
    this.#gathered.push(sentence);
    if (this.#gathered.length > 1) return;
    setTimeout(() => {
      const said = this.#gathered.splice(0);
      this.speak(said.length > MOST_READ_OUT ? t("list.burst", { count: said.length }) : said.join(" "));
    }, GATHER);
  }

  #newest() {
    return this.#store.state.value.messages.list.at(-1)?.seq ?? 0;
  }

  #remember() {
    this.#drawer.set("read", this.#newest());
  }
}
