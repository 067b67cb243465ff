/** Where the last 4096 records begin that were read: one that comes again is not searched for. */

import type { RecordPlace } from "./_record_source.ts";

const PLACES = 4096;

/** Places by the sequence of their record. */
export class Places {
  readonly #sequences = new Float64Array(PLACES);
  readonly #segments = new Float64Array(PLACES);
  readonly #offsets = new Float64Array(PLACES);

  /** Keeps a place, and forgets that of the record 4096 before. */
  keep({ segment, at, sequence }: RecordPlace): void {
    const index = sequence % PLACES;
    this.#sequences[index] = sequence;
    this.#segments[index] = segment;
    this.#offsets[index] = at;
  }

  /** Where a record began; `undefined`: that is not known any more. */
  of(sequence: number): RecordPlace | undefined {
    const index = sequence % PLACES;
    if (this.#sequences[index] !== sequence) return undefined;
    return { segment: this.#segments[index]!, at: this.#offsets[index]!, sequence };
  }
}
