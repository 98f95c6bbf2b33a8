// What went wrong, and what to do about it: for connecting, and for anything else that was asked.

import { NetworkError, RateLimitedError, UnauthorizedError, UnavailableError } from "../../client.js";
import { formatDuration } from "./format.js";

/** By the `code` that the browser returns from HubSpot with. An address may say anything, so it
 * only chooses among these. */
const CONNECTING = {
  access_denied: {
    title: "Access was not allowed",
    text:
      "HubSpot was not connected, and nothing was changed. Connect again and choose Allow; " +
      "if you may not, ask an administrator of your HubSpot account.",
  },
  cancelled: {
    title: "Connecting was cancelled",
    text: "Nothing was connected. Start again whenever you like.",
  },
  too_many_requests: {
    title: "Too many attempts",
    text:
      "Too many attempts to connect came from your network within a minute. Wait a minute and " +
      "start again.",
  },
  invalid_state: {
    title: "This attempt has expired",
    text: "Connecting has to be finished within ten minutes, and works once. Start again.",
  },
  installed_in_hubspot: {
    kind: "info",
    title: "One step is left",
    text:
      "The app was installed from HubSpot, which does not say for which workspace. Press Connect " +
      "to finish: HubSpot will not ask again.",
    action: "Connect HubSpot",
  },
  expired_code: {
    title: "HubSpot's answer has expired",
    text: "HubSpot's permission was not used in time. Start again; it takes a few seconds.",
  },
  browser_mismatch: {
    title: "Started in another browser",
    text:
      "Connecting has to be finished in the browser in which it was started. Start again " +
      "here, and allow cookies for this site.",
  },
  hubspot_unavailable: {
    title: "HubSpot is not answering",
    text:
      "HubSpot could not be asked for its permission. No call is lost: try again in a few " +
      "minutes.",
  },
  configuration_error: {
    title: "This service is not set up correctly",
    text:
      "HubSpot refuses the service's own credentials. Please tell its operators: trying " +
      "again does not help.",
  },
  missing_scopes: {
    title: "A permission is missing",
    text:
      "HubSpot did not grant all that is needed to find contacts and write notes. Connect " +
      "again and allow everything that is asked for.",
  },
  internal_error: {
    title: "Something went wrong on our side",
    text: "HubSpot was not connected. Try again in a moment.",
  },
};
const UNKNOWN = { title: "HubSpot was not connected", text: "Try again in a moment." };

/** Why connecting did not succeed: `{kind, title, text, action}`; `action` goes on from there. */
export const describeConnecting = (code) => ({
  kind: "error",
  action: "Connect again",
  ...(Object.hasOwn(CONNECTING, code) ? CONNECTING[code] : UNKNOWN),
});

/** What an error of the client means for the reader, as one or two sentences. */
export function describeError(error) {
  if (error instanceof NetworkError) {
    return navigator.onLine
      ? "The service cannot be reached. It is tried again by itself."
      : "You are offline.";
  }
  if (error instanceof UnauthorizedError) return "Your session has ended. Sign in again.";
  if (error instanceof RateLimitedError || error instanceof UnavailableError) {
    const wait = error.retryAfterMs ? ` Try again in ${formatDuration(error.retryAfterMs)}.` : "";
    return `${error.message}${wait}`;
  }
  if (error.fields?.length)
    return error.fields.map(({ message }) => capitalize(message)).join(". ");
  return error.message;
}

/**
 * What is wrong with one field of a request, or with what is in it; null if the error is about
 * something else.
 */
export function describeField(error, field) {
  const isMeant = (each) => each.field === field || each.field.startsWith(`${field}.`);
  const found = error.fields?.find(isMeant);
  return found ? capitalize(found.message) : null;
}

const capitalize = (text) => text.charAt(0).toUpperCase() + text.slice(1);
