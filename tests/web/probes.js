/** What tests ask of a page as it is now; each answers with what it has found. */

window.probes = {
  /** What sticks out of the window, or of a box that is not to be scrolled sideways. */
  sticksOut() {
    const found = [];
    const { scrollWidth } = document.documentElement;
    if (scrollWidth > innerWidth) found.push(`page ${scrollWidth} > ${innerWidth}`);
    for (const box of document.querySelectorAll(".list, .panel, .dialog, .head, .pins, .poll, .card, .banner"))
      if (box.scrollWidth > box.clientWidth + 1) found.push(`${box.className}: ${box.scrollWidth} > ${box.clientWidth}`);
    const isCut = (one) => one !== null && (getComputedStyle(one).overflowX !== "visible" || one.matches(".hidden, .skip, svg") || isCut(one.parentElement));
    for (const one of document.querySelectorAll("body *")) {
      const { left, right, width } = one.getBoundingClientRect();
      if (width > 0 && (left < -1 || right > innerWidth + 1) && !isCut(one)) found.push(one.outerHTML.slice(0, 120));
    }
    return found;
  },

  /** Elements and attributes that are there only if a text has become HTML. */
  madeOfText() {
    const all = [...document.querySelectorAll("body *")];
    const made = all.filter((one) => one.matches("img, iframe, object, embed, style, [srcdoc], #app script, b b"));
    const handled = all.filter((one) => [...one.attributes].some(({ name }) => name.startsWith("on")));
    return [...made, ...handled].map((one) => one.outerHTML.slice(0, 120));
  },

  /** Texts and names that are neither somebody's words nor of the catalogue, whose texts stand in ⟦these⟧. */
  outside() {
    const found = [];
    const free = "bdi, body [dir=auto], body [dir=ltr], kbd, time, .avatar, .brand, .count, option[lang], noscript, script, style, .states";
    const isSpan = (text) => // as the browser writes it in the language of the page
      ["second", "minute", "hour", "day"].some((unit) =>
        new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit, unitDisplay: "long" }).format(parseInt(text, 10)) === text);
    const marked = /⟦[^⟦⟧]*⟧/g;
    const without = (text) => (text.search(marked) >= 0 ? without(text.replaceAll(marked, "")) : text); // one may be in another
    const isOutside = (text) => /\p{L}{2,}/u.test(without(text)) && !isSpan(text.trim());
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const { parentElement, textContent } = walker.currentNode;
      if (parentElement.closest(free) === null && isOutside(textContent)) found.push(textContent.trim());
    }
    const names = ["aria-label", "title", "placeholder", "alt"];
    for (const one of document.querySelectorAll(names.map((name) => `[${name}]`).join()))
      for (const name of names)
        if (one.hasAttribute(name) && !one.matches("article, time") && isOutside(one.getAttribute(name))) found.push(`${name}: ${one.getAttribute(name)}`);
    return found;
  },
};
