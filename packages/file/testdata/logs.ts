/** Fresh logs for tests, and what is written into them. */

import { FileLog, type FileLogReader, type LogCreateOptions } from "../mod.ts";
import { withFolder } from "./pair.ts";

/** This package, for programs of tests. */
export const MOD: string = JSON.stringify(import.meta.resolve("../mod.ts"));
/** Nothing takes that long, unless it hangs. */
export const CEILING = { timeout: 20_000 } as const;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Text as bytes. */
export function bytes(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** Bytes as text. */
export function text(data: Uint8Array | undefined): string | undefined {
  return data && decoder.decode(data);
}

/** Runs a test over a fresh log, which is removed in the end. */
export function withLog(
  test: (log: FileLog) => Promise<void> | void,
  options: LogCreateOptions = { fsync: "never" },
): Promise<void> {
  return withFolder(async (folder) => {
    using log = FileLog.create(`${folder}/log`, options);
    await test(log);
  });
}

/** Appends numbers, each as a message of `size` bytes that begins with it. */
export function append(log: FileLog, from: number, to: number, size = 4): void {
  using writer = log.writer();
  for (let number = from; number <= to; number++) writer.sendSync(numbered(number, size));
}

/** A message of `size` bytes that begins with a number. */
export function numbered(number: number, size = 4): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(size).fill(number);
  new DataView(message.buffer).setUint32(0, number, true);
  return message;
}

/** The number that a message begins with. */
export function numberOf(data: Uint8Array): number {
  return new DataView(data.buffer, data.byteOffset).getUint32(0, true);
}

/** All that a reader gets without waiting: numbers of whole messages, and the names of errors. */
export function drain(reader: FileLogReader): (number | string)[] {
  const found: (number | string)[] = [];
  for (;;) {
    try {
      const record = reader.tryReceiveRecord();
      if (record === undefined) return found;
      found.push(record.data.length < 4 ? record.sequence : numberOf(record.data));
    } catch (error) {
      found.push((error as Error).name);
    }
  }
}

/** The numbers from `from` to `to`. */
export function count(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
}

/** The files of a log's segments, in their order. */
export function segmentFiles(log: FileLog): string[] {
  const names = [...Deno.readDirSync(log.path)].map(({ name }) => name).filter((name) =>
    name.endsWith(".log")
  );
  return names.sort().map((name) => `${log.path}/${name}`);
}
