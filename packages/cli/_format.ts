/** Numbers with their units, as people read them. */

/** A whole number with commas, and what is counted: `1 message`, `1,234 messages`. */
export function count(number: number, what?: string): string {
  const text = number.toLocaleString("en-US");
  return what === undefined ? text : `${text} ${what}${number === 1 ? "" : "s"}`;
}

/** A number of bytes in three or four digits: `0 B`, `95.6 MB`, `1.93 GB`. */
export function bytes(number: number): string {
  return scaled(number, 1000, ["B", "kB", "MB", "GB", "TB"]);
}

/** Milliseconds as a time: `8.1 µs`, `92 ms`, `1.42 s`. */
export function seconds(milliseconds: number): string {
  if (milliseconds < 1) return scaled(milliseconds * 1000, 1000, ["µs"]);
  return scaled(milliseconds, 1000, ["ms", "s"]);
}

function scaled(number: number, step: number, units: readonly string[]): string {
  let unit = 0;
  while (unit < units.length - 1 && number >= step * 0.9995) {
    number /= step;
    unit++;
  }
  const whole = Number.isInteger(number) && unit === 0;
  const digits = whole || number >= 99.95 ? 0 : number >= 9.995 ? 1 : 2;
  return `${number.toFixed(digits)} ${units[unit]}`;
}
