/**
 * What near and far end say to each other.
 *
 * The near end names a phase with one message, sends the messages of the phase, and ends it with an empty one.
 */

/** The phases. */
export type Phase =
  /** Each message comes back; both ends wait on the event loop. */
  | "echo"
  /** Each message comes back; both ends block. */
  | "echo, blocking"
  /** Messages are counted; one comes back at the end. */
  | "count"
  /** Messages are put together as a file; its {@linkcode Receipt} comes back at the end. */
  | "file";

/** What arrived at the far end. */
export interface Receipt {
  /** Bytes. */
  readonly bytes: number;
  /** Their SHA-256 in hexadecimal digits. */
  readonly sha256: string;
}

/** Ends a phase. */
export const NOTHING: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/** Bytes of a message of the bandwidth and the file; less where the mechanism takes less. */
export const CHUNK: number = 1024 * 1024;
