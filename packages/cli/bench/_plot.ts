/** The plots of the page: a strip for each line of a table, all on one logarithmic scale. */

import type { Chart } from "./contestant.ts";
import type { Result } from "./report.ts";

/** Where figures lie, between 0 and 1. */
export interface Scale {
  /** The left end. */
  readonly low: number;
  /** The right end. */
  readonly high: number;
  /** Where one lies. */
  at(value: number): number;
}

/** In pixels. */
const WIDTH = 220;
const HEIGHT = 22;
const MIDDLE = HEIGHT / 2;
/** About the width of a character of a label, and the least room between two, in pixels. */
const LABEL = { character: 6, apart: 12 };

function x(scale: Scale, value: number): number {
  return Math.round(scale.at(value) * WIDTH * 10) / 10;
}

/** The numbers that the scale shows: 1, 2 and 5 times the powers of ten, or fewer where they would touch. */
function ticks(scale: Scale, chart: Chart): number[] {
  for (const steps of [[1, 2, 5], [1, 3]]) {
    const found = multiples(scale, steps);
    const room = (value: number) => label(value, chart).length * LABEL.character + LABEL.apart;
    if (found.every((value, at) => at === 0 || x(scale, value) - x(scale, found[at - 1]!) >= room(value))) {
      return found;
    }
  }
  return multiples(scale, [1]);
}

function multiples({ low, high }: Scale, steps: readonly number[]): number[] {
  const found: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    found.push(...steps.map((step) => step * 10 ** power));
  }
  return found.filter((value) => value >= low && value <= high);
}

/** The scale above the strips. */
export function axis(scale: Scale, chart: Chart): string {
  const labels = ticks(scale, chart).map((value) => {
    return `<text x="${x(scale, value)}" y="11" text-anchor="middle">${label(value, chart)}</text>`;
  });
  return `<svg width="${WIDTH}" height="14" viewBox="0 0 ${WIDTH} 14" aria-hidden="true">${
    labels.join("")
  }</svg>`;
}

function label(value: number, { unit }: Chart): string {
  if (unit === "ms/s") return String(value);
  if (unit === "µs") return value >= 1000 ? `${value / 1000} ms` : `${value} µs`;
  const [step, name] = value >= 1e9
    ? [1e9, "G"]
    : value >= 1e6
    ? [1e6, "M"]
    : value >= 1e3
    ? [1e3, "k"]
    : [1, ""];
  return `${value / step} ${name}${unit === "bytes/s" ? "B/s" : unit === "bytes" ? "B" : ""}`.trim();
}

/** The rounds of one line: from the lowest to the highest, with a point for the best. */
export function strip(result: Result, chart: Chart, scale: Scale, reference: number | undefined): string {
  const { kind, best, range: [low, high], goal } = result;
  const parts: string[] = ticks(scale, chart).map((value) => {
    return `<line class="grid" x1="${x(scale, value)}" x2="${x(scale, value)}" y1="0" y2="${HEIGHT}"/>`;
  });
  if (reference !== undefined) {
    if (goal !== undefined) {
      const bound = Math.max(0, Math.min(WIDTH, x(scale, reference * goal.toC)));
      const [from, to] = chart.better === "lower" ? [0, bound] : [bound, WIDTH];
      parts.push(
        `<rect class="goal" x="${from}" y="2" width="${(to - from).toFixed(1)}" height="${HEIGHT - 4}"/>`,
      );
    }
    const at = x(scale, reference);
    parts.push(`<line class="c-line" x1="${at}" x2="${at}" y1="0" y2="${HEIGHT}"/>`);
  }
  const at = x(scale, best);
  parts.push(
    `<line class="range" x1="${x(scale, low)}" x2="${x(scale, high)}" y1="${MIDDLE}" y2="${MIDDLE}"/>`,
  );
  // A shape for each kind, so that colours only help.
  if (kind === "c") {
    parts.push(`<path class="point" d="M${at} ${MIDDLE - 5}l5 5l-5 5l-5 -5z"/>`);
  } else parts.push(`<circle class="point" cx="${at}" cy="${MIDDLE}" r="${kind === "ours" ? 5 : 4}"/>`);
  return `<svg width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" aria-hidden="true">${
    parts.join("")
  }</svg>`;
}
