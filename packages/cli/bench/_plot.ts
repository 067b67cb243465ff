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
const WIDTH = 240;
const HEIGHT = 22;
const MIDDLE = HEIGHT / 2;
/** Labels that would come closer than this, in pixels, are left out. */
const APART = 44;

function x(scale: Scale, value: number): number {
  return Math.round(scale.at(value) * WIDTH * 10) / 10;
}

/** The numbers that the scale shows: 1, 2 or 5 times a power of ten; without the 2 and 5 where they are many. */
function ticks(scale: Scale): number[] {
  for (const steps of [[1, 2, 5], [1, 3], [1]]) {
    const found: number[] = [];
    for (let power = Math.floor(Math.log10(scale.low)); power <= Math.log10(scale.high); power++) {
      for (const step of steps) {
        const value = step * 10 ** power;
        if (value >= scale.low && value <= scale.high) found.push(value);
      }
    }
    const near = found.some((value, at) => at > 0 && x(scale, value) - x(scale, found[at - 1]!) < APART);
    if (!near || steps.length === 1) return found;
  }
  return [];
}

/** The scale above the strips. */
export function axis(scale: Scale, chart: Chart): string {
  const labels = ticks(scale).map((value) => {
    const at = x(scale, value);
    // A label at the edge leans inwards.
    const anchor = at < APART / 2 ? "start" : at > WIDTH - APART / 2 ? "end" : "middle";
    return `<text x="${at}" y="11" text-anchor="${anchor}">${label(value, chart)}</text>`;
  });
  return `<svg width="${WIDTH}" height="14" viewBox="0 0 ${WIDTH} 14" aria-hidden="true">${labels.join("")}</svg>`;
}

function label(value: number, { unit }: Chart): string {
  if (unit === "µs") return value >= 1000 ? `${value / 1000} ms` : `${value} µs`;
  const [step, name] = value >= 1e9 ? [1e9, "G"] : value >= 1e6 ? [1e6, "M"] : value >= 1e3 ? [1e3, "k"] : [1, ""];
  return `${value / step} ${name}${unit === "bytes/s" ? "B/s" : ""}`.trim();
}

/** The rounds of one line: from the lowest to the highest, with a point for the best. */
export function strip(result: Result, chart: Chart, scale: Scale, reference: number | undefined): string {
  const { kind, best, range: [low, high], goal } = result;
  const parts: string[] = ticks(scale).map((value) => {
    return `<line class="grid" x1="${x(scale, value)}" x2="${x(scale, value)}" y1="0" y2="${HEIGHT}"/>`;
  });
  if (reference !== undefined) {
    if (goal !== undefined) {
      const bound = Math.max(0, Math.min(WIDTH, x(scale, reference * goal.toC)));
      const [from, to] = chart.better === "lower" ? [0, bound] : [bound, WIDTH];
      parts.push(`<rect class="goal" x="${from}" y="2" width="${(to - from).toFixed(1)}" height="${HEIGHT - 4}"/>`);
    }
    const at = x(scale, reference);
    parts.push(`<line class="c-line" x1="${at}" x2="${at}" y1="0" y2="${HEIGHT}"/>`);
  }
  const at = x(scale, best);
  parts.push(`<line class="range" x1="${x(scale, low)}" x2="${x(scale, high)}" y1="${MIDDLE}" y2="${MIDDLE}"/>`);
  // A shape for each kind, so that colours only help.
  if (kind === "c") {
    parts.push(`<path class="point" d="M${at} ${MIDDLE - 5}l5 5l-5 5l-5 -5z"/>`);
  } else parts.push(`<circle class="point" cx="${at}" cy="${MIDDLE}" r="${kind === "ours" ? 5 : 4}"/>`);
  return `<svg width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" aria-hidden="true">${
    parts.join("")
  }</svg>`;
}
