// Presstally's tracker. This is the source; t.min.js is what is served (`make tracker` makes it, docs/tracking.md describes its use).
//
// A view is sent by fetch with keepalive, because only an answer tells that it was kept (202). It is put into the outbox
// first, and taken out at 202, or at a refusal that will never get better. What stays there is sent again, oldest
// first, with the same id and its age: while a page is open, when the network is back, when the next page is shown.
// After half an hour it is dropped.
//
// A ping or a leave is sent by sendBeacon and kept nowhere: a minute later there is a newer one, or nothing to end. As
// the page goes away, what still waits in the outbox goes along with the leave. A beacon has no answer, so it stays in
// the outbox all the same. Whatever arrives twice has one id, and the counter counts it once.
//
// `let` throughout, and a little terse: it must stay within 1,200 bytes as served (tests/ingest/collector/test_tracker.py).

window.presstally || (() => { // else the tag stands on the page twice
  let OUTBOX_MAX = 50, OUTBOX_MS = 18e5, PING_MS = 6e4, ANSWER_MS = 1e4, HEAD_MS = 300, YOUNG_MS = 300, WAIT_MAX_SECONDS = 60;
  let { src, dataset: { site, endpoint, manual, local } } = document.currentScript;
  let to = new URL(endpoint || "/e", src);
  let uuid = () => URL.createObjectURL(new Blob()).slice(-36); // crypto.randomUUID is missing on plain http

  // The outbox is localStorage, one key a view ("presstally ENDPOINT TIME RANDOM"), so that tabs cannot overwrite each
  // other's and sorting is by age. Where there is no storage or it is full, the memory of this page must do.
  let box = {};
  try { box = localStorage || box; } catch {}
  let prefix = "presstally " + to + " ";
  let ageOf = (key) => Math.max(0, Date.now() - key.split(" ")[2]);
  let bodyOf = (key) => `{"age":${ageOf(key)},` + box[key].slice(1);
  let waiting = () => Object.keys(box).filter(
    (key) => key.startsWith(prefix) && (ageOf(key) < OUTBOX_MS || !delete box[key]),
  ).sort();

  // A reader opts out by any link to #presstally-off, and in again by #presstally-on.
  let isOff = () => {
    let wish = location.hash.split("#presstally-")[1];
    if (wish) box.presstally = wish;
    return box.presstally == "off" || (local == null && /^(localhost|127[.\d]*|\[::1]|)$/.test(location.hostname));
  };

  let post = (body) => fetch(to, {
    method: "POST", body, keepalive: true, signal: AbortSignal.timeout?.(ANSWER_MS),
  }).catch((fault) => fault); // a fault has no status
  let sending, wait, again;
  let flush = async () => {
    if (sending || isOff() || !(sending = waiting()[0])) return;
    clearTimeout(again);
    let { status, headers } = await post(bodyOf(sending));
    if (/^4(?!29)|202/.test(status)) {
      delete box[sending];
      wait = sending = 0;
      flush();
    } else {
      sending = 0;
      // 1 s, 2 s, 4 s, … on top of what the collector asks for; begun at random, so that readers do not come in step.
      wait = Math.min(2 * wait || 1 + Math.random(), WAIT_MAX_SECONDS);
      again = setTimeout(flush, (wait + (headers?.get("retry-after") | 0)) * 1e3);
    }
  };

  let path, place, canonical, referrer = document.referrer.split("/")[2];
  let sign = (kind) => JSON.stringify({
    id: uuid(), site, kind, path,
    article: document.querySelector('meta[name="presstally:article"]')?.content || null,
    referrer: referrer != location.host ? referrer : null,
  });
  let tell = (kind, body = "") => path && !isOff() && (
    navigator.sendBeacon?.(to, body = `[${[...body, sign(kind)]}]`) || post(body)
  );

  let pending = manual == null && []; // the view that waits until the page is seen: prerendered, or in a tab behind
  let view = (given) => {
    pending = (document.hidden || document.prerendering) && [given];
    if (pending || isOff()) return;
    // An application may leave its first page's canonical link where it is: then it says nothing about this one.
    let now = new URL(document.querySelector("link[rel=canonical]")?.href || location).pathname;
    path = given || (now == canonical && place != location.pathname ? location.pathname : now);
    place = location.pathname;
    canonical = now;
    waiting().slice(0, 1 - OUTBOX_MAX).map((old) => delete box[old]);
    let key = prefix + Date.now() + " " + Math.random(), body = sign("view");
    referrer = null; // from here on the reader comes from this very page
    try { box[key] = body; } catch { box = { [key]: body }; }
    flush();
  };

  if (pending) {
    let moved = () => location.pathname == place || view();
    // An application changes the head after the address: wait for its article and its canonical link.
    let moving = () => setTimeout(moved, HEAD_MS);
    ["pushState", "replaceState"].map((name) => {
      let original = history[name];
      history[name] = (...given) => {
        original.apply(history, given);
        moving();
      };
    });
    addEventListener("popstate", moving);
    addEventListener("pagehide", moved);
    addEventListener("pageshow", (event) => event.persisted && view());
  }
  // A view as young as this is on its way, maybe in another tab or from the page that this one gives way to.
  addEventListener("pagehide", () => tell("leave", waiting().filter((key) => ageOf(key) > YOUNG_MS).map(bodyOf)));
  addEventListener("online", flush);
  window.presstally = { view };

  let pinging;
  let shown = () => {
    clearInterval(pinging);
    if (document.hidden) return;
    pinging = setInterval(tell, PING_MS, "ping");
    pending ? view(...pending) : flush();
  };
  document.addEventListener("visibilitychange", shown);
  document.addEventListener("prerenderingchange", shown);
  shown();
})();
