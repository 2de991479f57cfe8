/** Requests to the API: JSON, the token of the session, and the log-in again when the session has ended. */

const API = "/api";

/** An answer of the API that is not a success; `status` 0: no answer. */
export class ApiProblem extends Error {
  constructor(status, problem) {
    super(problem?.detail || problem?.title || `HTTP ${status}`);
    this.status = status;
    this.code = problem?.code ?? "";
    this.problem = problem;
  }
}

export class Api {
  /** `csrf()` returns the token; `onEnded()` resolves after a log-in. */
  constructor({ csrf, onEnded }) {
    Object.assign(this, { csrf, onEnded });
  }

  /** Return the JSON of a response, null without content. Throws ApiProblem. */
  async call(method, path, value = undefined, { headers = {}, keepalive = false, quiet = false } = {}) {
    let response;
    try {
      response = await fetch(API + path, {
        method,
        keepalive,
        headers: {
          accept: "application/json",
          "accept-language": document.documentElement.lang || "vi",
          "x-csrf-token": this.csrf(),
          ...(value === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        body: value === undefined ? undefined : JSON.stringify(value),
      });
    } catch {
      throw new ApiProblem(0, null);
    }
    const text = await response.text();
    let body = null;
    try {
      body = text ? JSON.parse(text) : null;
    } catch {
      // a page of a gateway
    }
    if (response.status === 401 && !quiet) {
      await this.onEnded();
      return this.call(method, path, value, { headers, quiet });
    }
    if (!response.ok) throw new ApiProblem(response.status, body);
    return body;
  }
}
