// Presstally's tracker. This is the source; t.min.js, built by `make tracker`, is what is served. Usage: docs/tracking.md.
//
// A view is sent by fetch with keepalive, because only a response confirms that it was accepted (202). It is stored in
// the outbox first, and removed on 202 or on a permanent rejection. Views in the outbox are sent again, oldest first,
// with the same ID and their age: while a page is open, when the network is back, when the next page is shown. They are
// dropped after half an hour.
//
// A ping or a leave is sent once and not stored: a minute later there is a newer ping, or nothing to end. When the page
// is hidden, the leave also carries the views in the outbox. Nobody reads its response, so they stay in the outbox.
// Duplicates have the same ID, and the counter counts them once. It is a fetch, too: a beacon of a page whose referrer
// policy is `no-referrer` has the origin `null` in Firefox, which is refused.
//
// `let` throughout, and a little terse: it must stay within 1,200 bytes as served (tests/ingest/collector/test_tracker.py).

// A page that includes the tag twice counts once, and so does one with frames of its own that include it, too.
self.presstally?.view || frameElement?.ownerDocument.querySelector("script[data-site]") || (() => {
  let OUTBOX_MAX = 50, OUTBOX_MS = 18e5, PING_MS = 6e4, RESPONSE_MS = 1e4, HEAD_MS = 300, YOUNG_MS = 300, WAIT_MAX_SECONDS = 60,
    POLL_MS = 1e3, PATH_MAX = 1e3;
  let { src, dataset: { site, endpoint, manual, local } } = document.currentScript // null in a module
    || document.querySelector("script[data-site]");
  let to = new URL(endpoint || "/e", src || location); // an inlined script has no src
  let uuid = () => URL.createObjectURL(new Blob()).slice(-36); // crypto.randomUUID is missing on plain http

  // The outbox is localStorage, one key a view ("presstally ENDPOINT TIME RANDOM"), so that tabs cannot overwrite each
  // other's and sorting is by age. Without storage, or with a full one, a variable of this page is used.
  let box = {};
  try { box = localStorage || box; } catch {}
  let prefix = "presstally " + to + " ";
  let ageOf = (key) => Math.max(0, Date.now() - key.split(" ")[2]);
  let bodyOf = (key) => `{"age":${ageOf(key)},` + box[key].slice(1);
  let waiting = () => Object.keys(box).filter(
    (key) => key.startsWith(prefix) && (ageOf(key) < OUTBOX_MS || !delete box[key]),
  ).sort();

  // Visitors opt out by any link to #presstally-off, and back in by #presstally-on.
  let isOff = () => {
    let choice = location.hash.split("#presstally-")[1];
    if (choice) box.presstally = choice;
    return box.presstally == "off" || (local == null && /^(localhost|127[.\d]*|.::1.|)$/.test(location.hostname));
  };

  let post = (body) => fetch(to, {
    method: "POST", body, keepalive: true, signal: AbortSignal.timeout?.(RESPONSE_MS),
  }).catch((error) => error); // an error has no status
  let sending, wait, again;
  let flush = async () => {
    if (sending || isOff() || !(sending = waiting()[0])) return;
    clearTimeout(again);
    let { status, headers } = await post(bodyOf(sending));
    if (/^4(?!29)|202/.test(status)) {
      delete box[sending];
      path = status == 202 && path; // no pings of a page that is not counted
      wait = sending = 0;
      flush();
    } else {
      sending = 0;
      // 1 s, 2 s, 4 s, … in addition to Retry-After, starting with a random delay, so that clients do not synchronise.
      wait = Math.min(2 * wait || 1 + Math.random(), WAIT_MAX_SECONDS);
      again = setTimeout(flush, (wait + (headers?.get("retry-after") | 0)) * 1e3);
    }
  };

  let path, place, canonical, referrer = document.referrer.split("/")[2];
  let encode = (kind) => JSON.stringify({
    site, kind, path, id: uuid(),
    article: document.querySelector("meta[name='presstally:article']")?.content || null,
    referrer: referrer == location.host ? null : referrer,
  });
  let report = (kind, views = "") => path && !isOff() && post(`[${[...views, encode(kind)]}]`);

  let pending = manual == null && []; // the view to send once the page is visible: prerendered, or in a background tab
  let view = (given) => {
    pending = (document.hidden || document.prerendering) && [given];
    if (pending || isOff()) return;
    // Of a canonical link only a path of http or https is used. A single-page application may keep the link of its first
    // page, which is then ignored.
    let now = /^https?:...+?(\/[^?#]*)/.exec(document.querySelector("link[rel~=canonical]")?.href)?.[1] || location.pathname;
    path = (given || (now != canonical || location.pathname == place ? now : location.pathname)).slice(0, PATH_MAX);
    place = location.pathname;
    canonical = now;
    waiting().slice(0, 1 - OUTBOX_MAX).map((old) => delete box[old]);
    let body = encode("view"), key = prefix + Date.now() + " " + Math.random();
    referrer = null; // later views are referred by this page
    try { box[key] = body; } catch { box = { [key]: body }; }
    flush();
  };

  if (pending) {
    let moved = () => location.pathname == place || view();
    // Applications update the head after the URL: wait for article and canonical link.
    // Polled: so every router is seen, in every browser, whether it uses the Navigation API or an own copy of pushState.
    setInterval(() => location.pathname == place || setTimeout(moved, HEAD_MS), POLL_MS);
    addEventListener("pagehide", moved);
    addEventListener("pageshow", (event) => event.persisted && view());
  }
  // A younger view is in flight, possibly in another tab or from the page that replaces this one.
  addEventListener("pagehide", () => report("leave", waiting().filter((key) => ageOf(key) > YOUNG_MS).map(bodyOf)));
  addEventListener("online", flush);
  self.presstally = { view };

  let shown = () => document.hidden || (pending ? view(...pending) : flush());
  setInterval(() => document.hidden || report("ping"), PING_MS);
  document.addEventListener("visibilitychange", shown);
  document.addEventListener("prerenderingchange", shown);
  shown();
})();
