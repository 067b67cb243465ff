import type { Limits } from "./_limits.ts";

/** What a peer says of itself. */
export interface Hello {
  readonly binary: boolean;
  readonly credit: number;
  /** Infinity: it counts none. */
  readonly bytes: number;
}

/** The greeting of this side, as JSON. */
export function helloJson({ streamCredit, streamBytes }: Limits, binary: boolean): string {
  return `{"binary":${binary},"credit":${streamCredit},"bytes":${streamBytes}}`;
}

/** The greeting of the other side; bytes travel beside the JSON if both have said so. */
export function readHello({ binary, credit, bytes }: Record<string, unknown>, ours: boolean): Hello {
  return {
    binary: binary === true && ours,
    credit: isCount(credit) ? credit : 0,
    bytes: isCount(bytes) ? bytes : Infinity,
  };
}

/** Whether it is a number of things. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && value as number > 0;
}
