/** How much of the page can be seen: on some telephones the keyboard lies above the page and does not make it smaller. */

const LEAST = 80; // px that a keyboard covers at least; bars of browsers are lower

/** Keep `--seen` and `--seen-start`, where something is covered, as they are. Returns how to stop it. */
export function followViewport(style = document.documentElement.style) {
  const seen = window.visualViewport;
  if (!seen) return () => {};
  const follow = () => {
    const isCovered = seen.scale === 1 && innerHeight - seen.height > LEAST;
    style.setProperty("--seen", isCovered ? `${Math.round(seen.height)}px` : "");
    style.setProperty("--seen-start", isCovered ? `${Math.round(seen.offsetTop)}px` : "");
  };
  for (const event of ["resize", "scroll"]) seen.addEventListener(event, follow);
  return () => {
    for (const event of ["resize", "scroll"]) seen.removeEventListener(event, follow);
  };
}
