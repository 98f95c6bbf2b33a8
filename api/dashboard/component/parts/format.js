// Numbers, times and telephone numbers as the reader writes them.
//
// The words around them are English, so are the months; the reader's own region decides about the
// order of a date and the clock.

import { el } from "./dom.js";

const readers = navigator.languages ?? [navigator.language];
const LOCALE = readers.find((name) => name.startsWith("en")) ?? "en-GB";
const CLOCK = {
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: new Intl.DateTimeFormat(readers[0], { hour: "numeric" }).resolvedOptions().hourCycle,
};
const DAY_MS = 86_400_000;

const number = new Intl.NumberFormat(LOCALE);
const short = new Intl.NumberFormat(LOCALE, {
  notation: "compact",
  maximumSignificantDigits: 3,
});
const percent = new Intl.NumberFormat(LOCALE, { style: "percent", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(LOCALE, CLOCK);
const dayAndClock = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short", ...CLOCK });
const day = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short" });
const date = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium" });
const whole = new Intl.DateTimeFormat(LOCALE, {
  weekday: "long",
  day: "numeric",
  month: "long",
  year: "numeric",
  ...CLOCK,
  second: "2-digit",
  timeZoneName: "short",
});
const relative = new Intl.RelativeTimeFormat(LOCALE, { numeric: "auto" });

/** The reader's time zone, by its IANA name. */
export const TIME_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

export const formatNumber = (value) => number.format(value);
/** "2.5K": a round number where there is little room. */
export const formatShort = (value) => short.format(value);
export const formatPercent = (share) => percent.format(share);
export const formatDay = (ms) => day.format(ms);
export const formatDate = (ms) => date.format(ms);
export const formatClock = (ms) => clock.format(ms);

/** "1 call", "1,204 calls". */
export const count = (amount, noun) => `${number.format(amount)} ${noun}${amount === 1 ? "" : "s"}`;

/** The clock alone for a time of today, with the day otherwise, with the year when it is far. */
export function formatTime(ms, now = Date.now()) {
  if (new Date(ms).toDateString() === new Date(now).toDateString()) return clock.format(ms);
  if (Math.abs(now - ms) < 300 * DAY_MS) return dayAndClock.format(ms);
  return `${date.format(ms)}, ${clock.format(ms)}`;
}

/** "2 minutes ago"; beyond a day it is a date. */
export function formatAgo(ms, now = Date.now()) {
  const seconds = Math.max(0, (now - ms) / 1000);
  if (seconds < 45) return "just now";
  if (seconds < 3570) return relative.format(-Math.round(seconds / 60), "minute");
  if (seconds < 86_000) return relative.format(-Math.round(seconds / 3600), "hour");
  return formatTime(ms, now);
}

/** "420 ms", "1.2 s", "3 min 20 s", "2 h 5 min". */
export function formatDuration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 9.95) return `${number.format(Math.round(seconds * 10) / 10)} s`;
  const units = [
    [86_400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  const from = units.findIndex(([size]) => Math.round(seconds) >= size);
  let rest = Math.round(seconds);
  const parts = units.slice(from, from + 2).map(([size, name]) => {
    const amount = Math.floor(rest / size);
    rest -= amount * size;
    return amount ? `${amount} ${name}` : "";
  });
  return parts.filter(Boolean).join(" ");
}

/** A moment as an element that tells the whole of it on demand. */
export function timeElement(ms, text = formatTime(ms)) {
  return el("time", { datetime: new Date(ms).toISOString(), title: whole.format(ms) }, text);
}

// Country codes that begin with 1 or 7 have one digit, those not listed here three.
const TWO_DIGIT_CODES = /^(?:2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58])/;

/**
 * A number in E.164 in groups that can be read out; any other text as it is. Groups are those of
 * North America there, elsewhere neutral ones: only a table of every country would know better.
 */
export function formatPhone(text) {
  const match = /^\+(\d{6,15})$/.exec(text);
  if (!match) return text;
  const [, digits] = match;
  if (/^1\d{10}$/.test(digits)) {
    return `+1 ${digits.slice(1, 4)} ${digits.slice(4, 7)} ${digits.slice(7)}`;
  }
  const length = /^[17]/.test(digits) ? 1 : TWO_DIGIT_CODES.test(digits) ? 2 : 3;
  const rest = digits.slice(length).replace(/(\d{3})(?=\d{3})/g, "$1 ");
  return `+${digits.slice(0, length)} ${rest}`;
}
