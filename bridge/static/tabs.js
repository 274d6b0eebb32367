/** The page's tabs: a link shows what belongs to it, and the address remembers which. */

const links = /** @type {HTMLAnchorElement[]} */ ([...document.querySelectorAll(".tabs a")]);

/** Return the name of the tab that is shown: its link without the `#`. */
export function currentTab() {
  const names = links.map((link) => link.hash.slice(1));
  return names.find((name) => `#${name}` === location.hash) ?? names[0];
}

/**
 * Whether a tab can be seen: it is shown, and so is the page.
 *
 * @param {string} name
 */
export function isSeen(name) {
  return !document.hidden && currentTab() === name;
}

function show() {
  const current = currentTab();
  const parts = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[data-tab]")]);
  for (const part of parts) part.hidden = part.dataset.tab !== current;
  for (const link of links) link.ariaCurrent = link.hash === `#${current}` ? "page" : null;
}

show();
addEventListener("hashchange", () => {
  show();
  document.dispatchEvent(new Event("tabchange"));
});
document.addEventListener("visibilitychange", () => document.dispatchEvent(new Event("tabchange")));
