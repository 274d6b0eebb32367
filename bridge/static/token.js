/** The token that the page shows to a bridge that asks for one: from the page's address, kept while the tab is open. */

const KEY = "lipsync-token";
const SUBPROTOCOL_PREFIX = "lipsync.token."; // a browser cannot set headers of a WebSocket

/** Take a token out of the address, `#token=…` or `?token=…`, where it would stay in the history. */
function takeFromAddress() {
  const url = new URL(location.href);
  const inHash = new URLSearchParams(url.hash.slice(1));
  const token = inHash.get("token") ?? url.searchParams.get("token");
  if (!token) return null;
  url.searchParams.delete("token");
  if (inHash.has("token")) url.hash = "";
  history.replaceState(null, "", url);
  return token;
}

const token = takeFromAddress() ?? sessionStorage.getItem(KEY);
if (token) sessionStorage.setItem(KEY, token);

/**
 * Fetch something of the bridge.
 *
 * @param {string} url
 * @param {RequestInit} [options]
 */
export function fetchWithToken(url, options = {}) {
  return fetch(url, token ? { ...options, headers: { ...options.headers, Authorization: `Bearer ${token}` } } : options);
}

/**
 * Return the subprotocols to offer for one that is to be spoken.
 *
 * @param {string} name
 */
export function subprotocols(name) {
  return token ? [name, SUBPROTOCOL_PREFIX + token] : [name];
}
