/** What somebody has not seen yet, and what is read out to those who listen. */

import { computed, signal } from "./vendor/signals-core.mjs";
import { isOwn, mentionsMe } from "./state/selectors.mjs";
import { t } from "./texts/catalogue.mjs";

const GATHER = 800; // ms in which messages come together and are summed up
const MOST_READ_OUT = 3;

export class Attention {
  line = signal(null); // seq after which everything is new; frozen until one leaves the page
  spoken = signal(""); // for screen readers, politely
  #store;
  #drawer;
  #gathered = [];
  #isLive = false;
  #isThere = false; // the room has told what was said; until then nothing is known of what is new
  #seen = signal(null); // seq up to which all was in sight, as long as something newer is not

  constructor(store, drawer) {
    this.#store = store;
    this.#drawer = drawer;
    this.isLooking = signal(true);
    this.line.value = this.#seen.value = drawer.get("read") ?? null;
    const after = (seq, state) => (seq === null ? [] : state.messages.list.filter((wire) => wire.seq > seq && !isOwn(wire, state)));
    const unseen = computed(() => (this.isLooking.value ? [] : after(this.#seen.value, store.state.value)));
    this.news = computed(() => after(this.line.value, store.state.value));
    this.unread = computed(() => unseen.value.length);
    this.mentions = computed(() => unseen.value.filter((wire) => mentionsMe(wire, store.state.value)).length);
  }

  /** Whether somebody looks at the newest messages now; if not, whether they look at older ones. These leave the line alone. */
  look(isLooking, isHere) {
    if (this.isLooking.value === isLooking) return;
    this.isLooking.value = isLooking;
    if (!this.#isThere) return;
    if (isLooking) {
      this.#remember();
      return;
    }
    this.#seen.value = this.#newest();
    if (!isHere || this.line.value === null) this.line.value = this.#seen.value;
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
      if (!this.#isThere) this.#arrive();
      if (data.missed > 0) this.speak(t("list.missed", { count: data.missed }));
    }
    if (event !== "message") return;
    if (this.isLooking.value) this.#remember();
    if (this.#isLive && !isOwn(data, state)) this.#gather(t("message.sentence", { name: data.authorUsername, text: data.content.text ?? "" }));
  }

  /** Who comes for the first time, and looks elsewhere meanwhile, has seen what is there; who comes back, what they had seen. */
  #arrive() {
    this.#isThere = true;
    if (this.isLooking.value) return;
    this.#seen.value ??= this.#newest();
    this.line.value ??= this.#seen.value;
  }

  /** Say something to those who listen, also where it is what was said last: a text that stays is not read out again. */
  speak(text) {
    this.spoken.value = text === this.spoken.value ? `${text}\u00a0` : text;
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
