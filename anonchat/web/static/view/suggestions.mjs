/** A list of what may be meant, beside a field that keeps the focus. */

import { html, useSignal } from "../ui.mjs";
import { t } from "../texts/catalogue.mjs";

/** `find(before)` says what may be meant by the text before the caret; `write(text)` changes the text of the field. */
export function useSuggestions(field, find, write) {
  const found = useSignal(null);
  const at = useSignal(0);
  const close = () => (found.value = null);
  const look = () => {
    const { value, selectionStart } = field.current;
    found.value = find(value.slice(0, selectionStart));
    at.value = 0;
  };
  const take = (index) => {
    const { value, selectionStart } = field.current;
    const { start, options } = found.value;
    const before = value.slice(0, start) + options[index].insert;
    write(before + value.slice(selectionStart));
    close();
    queueMicrotask(() => field.current.setSelectionRange(before.length, before.length));
  };
  /** Whether the key was for the list. */
  const key = (event) => {
    if (found.value === null || event.isComposing) return false;
    const { length } = found.value.options;
    const acts = {
      ArrowDown: () => (at.value = (at.value + 1) % length),
      ArrowUp: () => (at.value = (at.value + length - 1) % length),
      Tab: () => take(at.value),
      Enter: () => take(at.value),
      Escape: close,
    };
    if (!(event.key in acts)) return false;
    event.preventDefault();
    acts[event.key]();
    return true;
  };
  return { found, at, look, take, key, close, activeId: () => (found.value === null ? undefined : `suggestion-${at.value}`) };
}

export function Suggestions({ from }) {
  if (from.found.value === null) return null;
  return html`
    <ul class="suggestions" id="suggestions" role="listbox" aria-label=${t("composer.suggestions")}>
      ${from.found.value.options.map(({ label }, index) => html`
        <li id="suggestion-${index}" role="option" aria-selected=${index === from.at.value}
          onPointerDown=${(event) => { event.preventDefault(); from.take(index); }}><bdi>${label}</bdi></li>`)}
    </ul>`;
}
