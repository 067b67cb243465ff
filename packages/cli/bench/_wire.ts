/** What the two ends say to each other: each test begins with its command, and ends with the far end's CPU time. */

import process from "node:process";

/** A test, as the near end was told it and tells the far end. */
export interface Command {
  /** `trip-…`: messages come back; `pull-…`: the far end sends; `push-…`: the near end sends; `idle`: nobody does. */
  readonly test: string;
  /** Bytes of a message. */
  readonly size: number;
  /** How many messages, or round trips; or milliseconds of idleness. */
  readonly count: number;
}

/** How many messages are sent together, or without waiting for each. */
export const TOGETHER = 1000;

/** A text as a message. */
export function tell(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Reads a command. */
export function parseCommand(line: string): Command {
  const [test = "", size, count] = line.split(" ");
  return { test, size: Number(size), count: Number(count) };
}

/** The lines of a stream. */
export async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

/** CPU time of this process with all its threads, in microseconds. */
export function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
