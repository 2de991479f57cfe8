// Presstally: counts views. <script defer src="/t.js" data-site="haihau"></script>
(() => {
  const script = document.currentScript, { site } = script.dataset;
  const to = new URL(script.dataset.endpoint || "/e", script.src).href;
  const meta = (name) => document.querySelector(`meta[name="presstally:${name}"]`)?.content;
  const id = () => "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (c) =>
    (c ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (c / 4)))).toString(16));
  const path = () => {
    const canonical = document.querySelector("link[rel=canonical]");
    return canonical ? new URL(canonical.href).pathname : location.pathname;
  };
  const send = (kind) => {
    const body = JSON.stringify({
      id: id(), site, kind, path: path(), article: meta("article"), referrer: document.referrer || undefined,
    });
    if (!navigator.sendBeacon?.(to, body)) fetch(to, { method: "POST", body, keepalive: true }).catch(() => {});
  };
  const view = () => send("view");
  document.prerendering ? document.addEventListener("prerenderingchange", view, { once: true }) : view();
  addEventListener("pageshow", (event) => event.persisted && view());
  addEventListener("pagehide", () => send("leave"));
  setInterval(() => document.visibilityState === "visible" && send("ping"), 60000);
})();
