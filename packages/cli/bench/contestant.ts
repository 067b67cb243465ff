/** What is measured: programs that do the same work in different ways. */

import type { FsyncPolicy } from "@ipc/file";

/** A comparison: everything in one chart does the same work. */
export interface Chart {
  /** Its name in JSON. */
  readonly name: ChartName;
  /** Its title. */
  readonly title: string;
  /** The same at the head of a column. */
  readonly short: string;
  /** The unit of its figures; `"ms/s"` is CPU time, while there is nothing to do, `"bytes"` memory. */
  readonly unit: "µs" | "messages/s" | "bytes/s" | "ms/s" | "bytes";
  /** Which figures are good. */
  readonly better: "lower" | "higher";
  /** Bytes of a message; who cannot send that many is left out. */
  readonly size: number;
  /** The most of a round, where each waits for the other process to rest or is a connection. */
  readonly most?: number;
}

/** The name of a comparison. */
export type ChartName =
  | "roundTrip"
  | "messages"
  | "bandwidth4KiB"
  | "bandwidth64KiB"
  | "bandwidth1MiB"
  | "memory"
  | "semaphores"
  | `append${Capitalize<FsyncPolicy>}${"" | "Four"}`
  | "read4KiB"
  | "read64KiB"
  | "wake"
  | "signal"
  | "processEnd"
  | "connections"
  | "idle";

/** Every comparison, in the order of the report. */
export const charts: readonly Chart[] = [
  {
    name: "roundTrip",
    title: "Round trip, 64 B",
    short: "round trip",
    unit: "µs",
    better: "lower",
    size: 64,
  },
  {
    name: "messages",
    title: "Messages a second, 64 B",
    short: "messages",
    unit: "messages/s",
    better: "higher",
    size: 64,
  },
  bandwidth("bandwidth4KiB", "4 KiB", 4 * 1024),
  bandwidth("bandwidth64KiB", "64 KiB", 64 * 1024),
  bandwidth("bandwidth1MiB", "1 MiB", 1024 * 1024),
  {
    name: "memory",
    title: "Mapped memory, 64 KiB read and written",
    short: "memory",
    unit: "bytes/s",
    better: "higher",
    size: 64 * 1024,
  },
  {
    name: "semaphores",
    title: "Two semaphores, there and back",
    short: "semaphores",
    unit: "µs",
    better: "lower",
    size: 0,
  },
  ...appends("always", "each on the disk"),
  ...appends("interval", "on the disk within a second"),
  ...appends("never", "never forced to the disk"),
  {
    ...bandwidth("read4KiB", "4 KiB", 4 * 1024),
    title: "Reading back, messages of 4 KiB",
    short: "read 4 KiB",
  },
  {
    ...bandwidth("read64KiB", "64 KiB", 64 * 1024),
    title: "Reading back, messages of 64 KiB",
    short: "read 64 KiB",
  },
  wake("wake", "From an append until another process has it", 64),
  wake("signal", "From a signal until another process has heard it", 0),
  wake("processEnd", "From a SIGKILL until the end of the process is known", 0),
  {
    name: "connections",
    title: "Memory of a connection that is open, of many",
    short: "connections",
    unit: "bytes",
    better: "lower",
    size: 0,
    most: 10_000,
  },
  {
    name: "idle",
    title: "CPU while both ends wait, milliseconds a second",
    short: "idle",
    unit: "ms/s",
    better: "lower",
    size: 0,
  },
];

function bandwidth(name: ChartName, short: string, size: number): Chart {
  const title = `Bandwidth, messages of ${short}`;
  return { name, title, short, unit: "bytes/s", better: "higher", size };
}

/** One process that appends, and four at once. */
function appends(policy: FsyncPolicy, words: string): Chart[] {
  const name = `append${policy[0]!.toUpperCase()}${policy.slice(1)}` as `append${Capitalize<FsyncPolicy>}`;
  const chart = { unit: "messages/s", better: "higher", size: 100 } as const;
  return [
    { ...chart, name, title: `Appends a second, 100 B, ${words}`, short: policy },
    { ...chart, name: `${name}Four`, title: `Four processes, ${words}`, short: `${policy}, 4` },
  ];
}

function wake(name: ChartName, title: string, size: number): Chart {
  return { name, title, short: name, unit: "µs", better: "lower", size, most: 100 };
}

/** One thing that a contestant is asked to do. */
export interface Case {
  /** The comparison that it belongs to. */
  readonly chart: ChartName;
  /** How it is done, such as `"sync"`. */
  readonly name: string;
  /** What its program is told. */
  readonly test: string;
  /** How it should compare with C: at most so many times C's where lower is better, at least where higher is. */
  readonly goal?: number | undefined;
}

/** Who did it: this library, C, or another way to do it. */
export type Kind = "ours" | "c" | "peer";

/**
 * A program that measures one way to talk, between itself and a process that it starts; or memory, by itself.
 *
 * It prints `{"ready":true,"pids":[…]}` with the processes that it has started, and `"maxMessageSize"` where messages
 * have one, then obeys lines on its standard input, `TEST SIZE COUNT`, and answers each with one line of JSON: a
 * {@linkcode Figures}, or `{"error":"…"}` where it cannot do that but goes on. It ends with its input.
 */
export interface Contestant {
  /** What it goes by in the report: the mechanism, where it is one of ours or its counterpart in C. */
  readonly subject: string;
  /** Who it is. */
  readonly kind: Kind;
  /** The program. */
  readonly command: string;
  /** Its arguments. */
  readonly args: readonly string[];
  /** What it can do. */
  readonly cases: readonly Case[];
}

/** What a program answers. */
export interface Figures {
  /** The time that all of it took. */
  readonly nanoseconds: number;
  /**
   * CPU time of both processes together, in microseconds a message; a round trip is two messages. While there is nothing
   * to do: a second.
   */
  readonly cpu: number;
  /** Memory of each connection, in bytes. */
  readonly bytes?: number;
  /** Half of the round trips took less, in microseconds. */
  readonly p50?: number;
  /** 99 of 100 round trips took less, in microseconds. */
  readonly p99?: number;
}
