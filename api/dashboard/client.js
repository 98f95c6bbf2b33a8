// The typed client of HubSpot Call Sync: one method for each route that a dashboard may call.
// An ES module without dependencies; client.d.ts has its types, made from the OpenAPI document.
//
// The webhook that tells of a finished call has no method here: it is signed with a secret that must
// never reach a browser.

/** The API answered with an error. `code` is stable, `message` is for people. */
export class ApiError extends Error {
  constructor({ status, code, message, fields = [], retryAfterMs = null }) {
    super(message);
    this.name = new.target.name;
    this.status = status;
    this.code = code;
    this.fields = fields;
    this.retryAfterMs = retryAfterMs;
  }
}

/** 400: `fields` names everything that is wrong in the request. */
export class BadRequestError extends ApiError {}
/** 401: the token is missing, expired or not acceptable. */
export class UnauthorizedError extends ApiError {}
/** 403 */
export class ForbiddenError extends ApiError {}
/** 404: there is no such entry for this user and workspace. */
export class NotFoundError extends ApiError {}
/** 409: there is no live connection to HubSpot. */
export class ConflictError extends ApiError {}
/** 413: the body is larger than the API takes. */
export class TooLargeError extends ApiError {}
/** 429: asked too often; try again after `retryAfterMs`. */
export class RateLimitedError extends ApiError {}
/** 503: the same request may succeed after `retryAfterMs`. */
export class UnavailableError extends ApiError {}

/** No answer came: offline, a wrong address, or an origin that the API does not allow. */
export class NetworkError extends Error {
  constructor(cause) {
    super("The service cannot be reached.", { cause });
    this.name = "NetworkError";
  }
}

const ERRORS = {
  400: BadRequestError,
  401: UnauthorizedError,
  403: ForbiddenError,
  404: NotFoundError,
  409: ConflictError,
  413: TooLargeError,
  429: RateLimitedError,
  503: UnavailableError,
};

export class HubSpotCallSyncClient {
  #baseUrl;
  #token;
  #fetch;
  #keptStatus = null;

  constructor({ baseUrl = "", token, fetch = globalThis.fetch.bind(globalThis) } = {}) {
    this.#baseUrl = String(baseUrl).replace(/\/+$/, "");
    this.#token = token;
    this.#fetch = fetch;
  }

  initiateHubSpotOAuth({ returnTo } = {}, { signal } = {}) {
    // The answer sets the cookie that binds this authorization to this browser.
    return this.#ask("GET", "/api/hubspot/oauth/initiate", {
      query: { return_to: returnTo },
      credentials: "include",
      signal,
    });
  }

  getHubSpotStatus({ signal } = {}) {
    const kept = this.#keptStatus;
    const read = async (answer) => {
      if (answer.status === 304) return kept.body;
      const body = await answer.json();
      const etag = answer.headers.get("ETag");
      this.#keptStatus = etag ? { etag, body } : null;
      return body;
    };
    const headers = kept ? { "If-None-Match": kept.etag } : {};
    return this.#ask("GET", "/api/hubspot/status", { headers, read, signal });
  }

  disconnectHubSpot({ signal } = {}) {
    return this.#ask("DELETE", "/api/hubspot/disconnect", { signal });
  }

  getHubSpotSyncLogs(query = {}, { signal } = {}) {
    return this.#ask("GET", "/api/hubspot/sync-logs", { query, signal });
  }

  getSyncLog(id, { signal } = {}) {
    return this.#ask("GET", `/api/hubspot/sync-logs/${encodeURIComponent(id)}`, { signal });
  }

  retrySyncLog(id, { signal } = {}) {
    const path = `/api/hubspot/sync-logs/${encodeURIComponent(id)}/retry`;
    return this.#ask("POST", path, { signal });
  }

  retrySyncLogs(order, { signal } = {}) {
    return this.#ask("POST", "/api/hubspot/sync-logs/retry", { body: order, signal });
  }

  exportSyncLogs(query = {}, { signal } = {}) {
    const read = async (answer) => {
      const disposition = answer.headers.get("Content-Disposition") ?? "";
      return {
        blob: await answer.blob(),
        filename: /filename="?([^";]+)/.exec(disposition)?.[1] ?? "sync-log.csv",
        truncated: answer.headers.get("X-Truncated") === "true",
      };
    };
    return this.#ask("GET", "/api/hubspot/sync-logs/export", { query, read, signal });
  }

  getStatistics(query = {}, { signal } = {}) {
    return this.#ask("GET", "/api/hubspot/statistics", { query, signal });
  }

  getSettings({ signal } = {}) {
    return this.#ask("GET", "/api/hubspot/settings", { signal });
  }

  updateSettings(change, { signal } = {}) {
    return this.#ask("PATCH", "/api/hubspot/settings", { body: change, signal });
  }

  preview(order, { signal } = {}) {
    return this.#ask("POST", "/api/hubspot/preview", { body: order, signal });
  }

  sendTestCall(order, { signal } = {}) {
    return this.#ask("POST", "/api/hubspot/test-call", { body: order, signal });
  }

  getCallSources(query = {}, { signal } = {}) {
    return this.#ask("GET", "/api/call-sources", { query, signal });
  }

  addCallSource(source, query = {}, { signal } = {}) {
    return this.#ask("POST", "/api/call-sources", { query, body: source, signal });
  }

  updateCallSource(id, change, query = {}, { signal } = {}) {
    const path = `/api/call-sources/${encodeURIComponent(id)}`;
    return this.#ask("PATCH", path, { query, body: change, signal });
  }

  removeCallSource(id, query = {}, { signal } = {}) {
    const path = `/api/call-sources/${encodeURIComponent(id)}`;
    return this.#ask("DELETE", path, { query, signal });
  }

  getCallSourceDeliveries(id, query = {}, { signal } = {}) {
    const path = `/api/call-sources/${encodeURIComponent(id)}/deliveries`;
    return this.#ask("GET", path, { query, signal });
  }

  getUnassignedCalls(id, query = {}, { signal } = {}) {
    const path = `/api/call-sources/${encodeURIComponent(id)}/unassigned`;
    return this.#ask("GET", path, { query, signal });
  }

  getAuditTrail(query = {}, { signal } = {}) {
    return this.#ask("GET", "/api/hubspot/audit", { query, signal });
  }

  getHealth({ signal } = {}) {
    return this.#ask("GET", "/healthz", { signal });
  }

  getReadiness({ signal } = {}) {
    return this.#ask("GET", "/readyz", { signal });
  }

  getMetrics({ signal } = {}) {
    return this.#ask("GET", "/metrics", { read: (answer) => answer.text(), signal });
  }

  getOpenApi({ signal } = {}) {
    return this.#ask("GET", "/openapi.json", { signal });
  }

  /** Reads a success (or 304); when the token is refused its callback is asked once more. */
  async #ask(method, path, { read = (answer) => answer.json(), ...options }) {
    let answer = await this.#send(method, path, options, { refused: false });
    if (answer.status === 401 && typeof this.#token === "function") {
      answer = await this.#send(method, path, options, { refused: true });
    }
    if (!answer.ok && answer.status !== 304) throw await readError(answer);
    return reach(() => read(answer), options.signal);
  }

  async #send(method, path, { query = {}, body, headers = {}, credentials = "omit", signal }, state) {
    const token = typeof this.#token === "function" ? await this.#token(state) : this.#token;
    const sent = { ...headers };
    if (token) sent.Authorization = `Bearer ${token}`;
    if (body !== undefined) sent["Content-Type"] = "application/json";
    const request = { method, headers: sent, credentials, cache: "no-store", signal };
    if (body !== undefined) request.body = JSON.stringify(body);
    return reach(() => this.#fetch(this.#baseUrl + path + writeQuery(query), request), signal);
  }
}

/** Runs what needs the network; an answer that breaks off is no answer either. */
async function reach(action, signal) {
  try {
    return await action();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new NetworkError(error);
  }
}

function writeQuery(query) {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === null || value === "") continue;
    given.set(name, value); // A list is sent with commas in between.
  }
  const text = given.toString();
  return text ? `?${text}` : "";
}

async function readError(answer) {
  const kind = ERRORS[answer.status] ?? ApiError;
  const seconds = Number.parseInt(answer.headers.get("Retry-After") ?? "", 10);
  const told = await answer.json().catch(() => null); // A proxy in between answers with a page.
  return new kind({
    status: answer.status,
    code: told?.error?.code ?? "http_error",
    message: told?.error?.message ?? `The service answered with status ${answer.status}.`,
    fields: told?.error?.fields,
    retryAfterMs: Number.isNaN(seconds) ? null : seconds * 1000,
  });
}
