/** Uploads of pictures and files to the API, with progress. */

import { t } from "../texts.js";

const API = "/api";
const RETRIES_MAX = 4;
const RETRY_SECONDS_MAX = 30;

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1_000 * seconds));

/** Resolve when the browser has a network. */
const connected = () =>
  navigator.onLine ? Promise.resolve() : new Promise((resolve) => addEventListener("online", resolve, { once: true }));

export class Transfers {
  /** `csrf()` returns the token of the session; `onEnded()` resolves after a log-in when the session has ended. */
  constructor({ site, csrf, onEnded = null }) {
    Object.assign(this, { site, csrf, onEnded });
  }

  /** Upload a picture; resolve with its image for a figure. */
  async sendPicture(file, onProgress) {
    const item = await this.send("media", file, onProgress);
    return { ...item.image, crops: [] };
  }

  /** Upload a file; resolve with its block, without the type. */
  async sendFile(file, onProgress) {
    const { block } = await this.send("files", file, onProgress);
    const { type, ...attrs } = block;
    return attrs;
  }

  async send(kind, file, onProgress, retries = RETRIES_MAX) {
    const query = new URLSearchParams({ file_name: file.name || "" });
    if (this.site) query.set("site", this.site);
    const url = `${API}/${kind}?${query}`;
    const { status, body, after } = await this.request(url, file, onProgress).catch(async (error) => {
      if (!retries) throw error;
      await connected();
      return { status: 503 }; // tried again: the pictures that wait must not all fail for a moment without network
    });
    if (status === 401 && this.onEnded) {
      await this.onEnded();
      return this.send(kind, file, onProgress, retries);
    }
    if ([429, 502, 503, 504].includes(status) && retries) {
      await pause(Math.min(after || 2, RETRY_SECONDS_MAX));
      return this.send(kind, file, onProgress, retries - 1);
    }
    if (status >= 300) throw new Error(body?.detail || body?.title || `HTTP ${status}`);
    return body;
  }

  request(url, file, onProgress) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest(); // fetch reports no progress of an upload
      request.open("POST", url);
      request.setRequestHeader("content-type", "application/octet-stream");
      request.setRequestHeader("accept-language", document.documentElement.lang || "vi");
      request.setRequestHeader("x-csrf-token", this.csrf());
      request.upload.addEventListener("progress", ({ loaded, total }) => {
        if (total) onProgress(Math.round((100 * loaded) / total));
      });
      request.addEventListener("load", () => {
        let body = null;
        try {
          body = JSON.parse(request.responseText);
        } catch {
          // a gateway's page: the status says enough
        }
        resolve({ status: request.status, body, after: Number(request.getResponseHeader("retry-after")) });
      });
      request.addEventListener("error", () => reject(new Error(t("no_network"))));
      request.send(file);
    });
  }
}
