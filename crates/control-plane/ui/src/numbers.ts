// Numbers as people read them: decimals follow the width of the interval, a minus is a minus, nothing is called zero that is not.

const MINUS = "−";
const DECIMALS_MAX = 6;
/** From this lift on it is said as a multiple: +1,000% is hard to read and ×11 is not. */
const MULTIPLE_FROM = 10;
const FULL_TO = 999_999;

const withSign = (text: string) => text.replace("-", MINUS);

function fixed(value: number, decimals: number, sign: boolean): string {
  const options = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  const text = withSign(new Intl.NumberFormat("en", options).format(value));
  const zero = !/[1-9]/.test(text);
  if (zero) return text.replace(MINUS, "");
  return sign && value > 0 ? `+${text}` : text;
}

/** Decimals that leave two significant digits of an interval's half-width. */
export function decimalsOf(half: number | null): number {
  if (half === null || !Number.isFinite(half) || half <= 0) return 0;
  return Math.min(DECIMALS_MAX, Math.max(0, 1 - Math.floor(Math.log10(half))));
}

/** One number of decimals for a group of intervals: what the narrowest needs, or else the others would hide what it says. */
export function decimalsOfGroup(intervals: [number | null, number | null][], factor: number): number {
  const halves = intervals.flatMap(([low, high]) => (low === null || high === null ? [] : [((high - low) / 2) * factor]));
  const positive = halves.filter((half) => half > 0);
  return positive.length === 0 ? 0 : decimalsOf(Math.min(...positive));
}

/** A share as a percentage without sign: 0.57%. */
export const percent = (share: number, decimals = 0): string => `${fixed(share * 100, decimals, false)}%`;

/** A lift: +119%, −4.3%, ×11. */
export function lift(value: number | null, decimals = 0, sign = true): string {
  if (value === null) return "undefined";
  if (value >= MULTIPLE_FROM) return `×${fixed(1 + value, 0, false)}`;
  return `${fixed(value * 100, decimals, sign)}%`;
}

/** What a mean is. The engine knows values without knowing what they are counted in; a currency's code comes from the definition. */
export type Unit = "rate" | "events" | "value" | "ratio" | string;

const CURRENCY = /^[A-Z]{3}$/;

function inUnit(value: number | null, unit: Unit, decimals: number, sign: boolean): string {
  if (value === null) return "–";
  if (CURRENCY.test(unit)) {
    const places = Math.max(2, decimals);
    const options = { style: "currency", currency: unit, currencyDisplay: "narrowSymbol", minimumFractionDigits: places, maximumFractionDigits: places } as const;
    return (value < 0 ? MINUS : sign && value > 0 ? "+" : "") + new Intl.NumberFormat("en", options).format(Math.abs(value));
  }
  const after = { rate: sign ? " points" : "%", seconds: " s" }[unit] ?? "";
  return fixed(value * factorOf(unit), decimals, sign) + after;
}

/** A mean in its unit. */
export const mean = (value: number | null, unit: Unit, decimals: number): string => inUnit(value, unit, decimals, false);

/** An absolute difference in its unit: points for rates. */
export const difference = (value: number | null, unit: Unit, decimals: number): string => inUnit(value, unit, decimals, true);

/** What a unit's values are multiplied by to be read. */
export const factorOf = (unit: Unit): number => (unit === "rate" ? 100 : 1);

/** An interval in words; `shape` says what its ends mean. */
export function range(low: number | null, high: number | null, shape: string | null, say: (value: number) => string): string {
  if (shape === "exclusive") {
    if (low === null && high === null) return "no limit yet";
    if (low === null) return `above ${say(high ?? 0)}`;
    if (high === null) return `below ${say(low)}`;
    return `below ${say(low)} or above ${say(high)}`;
  }
  if (low === null && high === null) return "no limit yet";
  return `${low === null ? "no limit" : say(low)} to ${high === null ? "no limit" : say(high)}`;
}

/** A p-value: never 0, never more digits than it is worth. */
export function pValue(p: number | null | undefined): string {
  if (p === null || p === undefined) return "–";
  if (p < 0.0001) return "<0.0001";
  if (p < 0.01) return p.toFixed(4);
  if (p < 0.1) return p.toFixed(3);
  return p >= 0.995 ? "1" : p.toFixed(2);
}

/** A count: exact up to a million, then 1.24M. */
export function count(value: number): string {
  if (Math.abs(value) <= FULL_TO) return fixed(Math.round(value), 0, false);
  const [unit, size] = Math.abs(value) < 1e9 ? (["M", 1e6] as const) : (["bn", 1e9] as const);
  return `${fixed(value / size, 2, false)}${unit}`;
}

/** Under an axis there is no room for more: 6.9k. */
export function countShort(value: number): string {
  if (value < 100) return String(Math.round(value));
  if (value < 1e6) return `${fixed(value / 1e3, value < 1e5 ? 1 : 0, false)}k`;
  return count(value);
}

/** Everything that is known of a number, for the drawer and for copying. */
export const exact = (value: number | null | undefined): string =>
  value === null || value === undefined ? "–" : withSign(String(value));

/** A count with its noun. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** Evidence e from its logarithm, as a multiple: 0.017×, 20,000×. */
export function evidence(lnE: number | null): string {
  if (lnE === null) return "∞×";
  if (lnE > Math.log(1e9)) return `10${superscript(Math.floor(lnE / Math.LN10))}×`;
  const value = Math.exp(lnE);
  if (value >= 10) return `${fixed(value, 0, false)}×`;
  if (value >= 0.001) return `${Number(value.toPrecision(2))}×`;
  return `10${superscript(Math.floor(lnE / Math.LN10))}×`;
}

const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";

export function superscript(power: number): string {
  return String(power).replace("-", "⁻").replace(/\d/g, (digit) => RAISED[Number(digit)] ?? digit);
}
