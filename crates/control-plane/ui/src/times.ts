// Times: in UTC with the zone, days as people say them, ages in two units at most.

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (n: number) => String(n).padStart(2, "0");

export type Instant = string | number | null | undefined;
const date = (at: Instant) => new Date(at ?? Number.NaN);
const valid = (at: Instant) => at !== null && at !== undefined && !Number.isNaN(date(at).getTime());

/** 18:42:06 */
export function clock(at: Instant): string {
  const d = date(at);
  return valid(at) ? `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}` : "–";
}

/** 23 Nov */
export function day(at: Instant): string {
  const d = date(at);
  return valid(at) ? `${d.getUTCDate()} ${MONTHS[d.getUTCMonth()]}` : "–";
}

/** 23 Nov 18:42; seconds only where they matter. */
export function moment(at: Instant, seconds = false): string {
  return valid(at) ? `${day(at)} ${seconds ? clock(at) : clock(at).slice(0, 5)}` : "–";
}

/** 9 Nov 2026, 08:00 UTC */
export function full(at: Instant): string {
  return valid(at) ? `${day(at)} ${date(at).getUTCFullYear()}, ${clock(at).slice(0, 5)} UTC` : "–";
}

/** For hovering: the same instant where the reader is. */
export function local(at: Instant): string {
  return valid(at) ? `${date(at).toLocaleString()} local time` : "";
}

/** 0.8 s, 12 s, 4 min 12 s, 3 h 5 min, 2 d 4 h */
export function age(ms: number): string {
  const s = Math.max(0, ms) / 1000;
  if (s < 9.95) return `${s.toFixed(1)} s`;
  if (s < 59.5) return `${Math.round(s)} s`;
  const whole = Math.floor(s);
  const pair = (large: number, small: number, names: [string, string]) => {
    const rest = Math.floor((whole % large) / small);
    return `${Math.floor(whole / large)} ${names[0]}${rest > 0 ? ` ${rest} ${names[1]}` : ""}`;
  };
  if (whole < 3600) return pair(60, 1, ["min", "s"]);
  if (whole < 86_400) return pair(3600, 60, ["h", "min"]);
  return pair(86_400, 3600, ["d", "h"]);
}

/** Which day of the run this is: the first is day 1. */
export function dayOf(started: Instant, look: Instant): number | null {
  if (!valid(started) || !valid(look)) return null;
  return Math.floor((date(look).getTime() - date(started).getTime()) / 86_400_000) + 1;
}

export const millis = (at: Instant): number => date(at).getTime();
